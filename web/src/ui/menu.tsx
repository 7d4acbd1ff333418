// SPDX-License-Identifier: MIT
//
// The menu at the pointer. There is at most one; it takes the keyboard and gives it back.

import { signal } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

export interface MenuItem {
  label: string;
  key?: string; // that does the same
  section?: string; // begins one, under this heading
  disabled?: boolean;
  act: () => void;
}

export interface Menu {
  title: string;
  items: MenuItem[];
}

interface OpenMenu extends Menu {
  x: number;
  y: number;
  from: HTMLElement; // gets the focus back
}

const open = signal<OpenMenu | undefined>(undefined);

export function openMenu(menu: Menu, x: number, y: number, from: HTMLElement): void {
  open.value = { ...menu, x, y, from };
}

/** Beneath a button. */
export function openMenuBelow(menu: Menu, button: HTMLElement): void {
  const at = button.getBoundingClientRect();
  openMenu(menu, at.left, at.bottom + 2, button);
}

function close(): void {
  const was = open.peek();
  open.value = undefined;
  was?.from.focus();
}

function moveFocus(list: HTMLElement, step: number): void {
  const items = [...list.querySelectorAll<HTMLElement>("[role=menuitem]")];
  const at = items.findIndex((item) => item === document.activeElement);
  const next = Math.abs(step) > 1 ? (step < 0 ? 0 : items.length - 1) : at + step;
  items[(next + items.length) % items.length]?.focus();
}

const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, Home: -2, End: 2 };

export function MenuLayer() {
  const menu = open.value;
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const e = list.current;
    if (!menu || !e) return;
    const { width, height } = e.getBoundingClientRect();
    e.style.left = `${Math.max(4, Math.min(menu.x, innerWidth - width - 4))}px`;
    e.style.top = `${Math.max(4, Math.min(menu.y, innerHeight - height - 4))}px`;
    e.querySelector<HTMLElement>("[role=menuitem]")?.focus();
  }, [menu]);
  useEffect(() => {
    if (!menu) return;
    function onDown(e: PointerEvent): void {
      if (!list.current?.contains(e.target as Node)) open.value = undefined;
    }
    addEventListener("pointerdown", onDown, true);
    return () => removeEventListener("pointerdown", onDown, true);
  }, [menu]);
  if (!menu) return null;
  return (
    <nav class="menu-layer" aria-label="Menu">
      <div
        ref={list}
        class="menu"
        role="menu"
        aria-label={menu.title}
        onContextMenu={(e) => e.preventDefault()}
        onKeyDown={(e) => {
          e.stopPropagation();
          if (e.key in steps) moveFocus(e.currentTarget, steps[e.key]);
          else if (e.key === "Escape" || e.key === "Tab") close();
          else return;
          e.preventDefault();
        }}
      >
        <div class="menu-title" aria-hidden="true">
          {menu.title}
        </div>
        {menu.items.map((item) => (
          <Fragment key={item.label}>
            {item.section && (
              <div class="menu-section" aria-hidden="true">
                {item.section}
              </div>
            )}
            <button
              type="button"
              role="menuitem"
              tabIndex={-1}
              aria-label={item.label}
              aria-disabled={item.disabled}
              onClick={() => {
                if (item.disabled) return;
                close();
                item.act();
              }}
            >
              <span>{item.label}</span>
              {item.key && <kbd aria-hidden="true">{item.key}</kbd>}
            </button>
          </Fragment>
        ))}
      </div>
    </nav>
  );
}
