// SPDX-License-Identifier: MIT
//
// A question that has to be answered before something is done: a name, or yes. There is at most one
// at a time. What goes wrong is said in it, and it stays open.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export interface Question {
  title: string;
  /** A text is asked for, with what it is and which there are. */
  field?: { label: string; known: readonly string[] };
  confirm: string; // on the button
  /** Resolves to "", or to a sentence about what went wrong. */
  act: (text: string) => Promise<string>;
}

const open = signal<Question | undefined>(undefined);
const error = signal("");
const busy = signal(false);

export function ask(question: Question): void {
  error.value = "";
  open.value = question;
}

async function answer(question: Question, text: string): Promise<void> {
  if (busy.peek()) return;
  busy.value = true;
  error.value = "";
  const wrong = await question.act(text).catch((e: unknown) => String(e));
  busy.value = false;
  if (wrong) error.value = wrong;
  else if (open.peek() === question) open.value = undefined;
}

export function QuestionDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const q = open.value;
  useEffect(() => {
    if (!q) return;
    dialog.current?.showModal();
    field.current?.focus();
  }, [q]);
  if (!q) return null;
  return (
    <dialog
      ref={dialog}
      class="help question"
      aria-labelledby="question-title"
      onClose={() => (open.value = undefined)}
    >
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void answer(q, field.current?.value.trim() ?? "");
        }}
      >
        <h2 id="question-title">{q.title}</h2>
        {q.field && (
          <>
            <input
              ref={field}
              aria-label={q.field.label}
              placeholder={q.field.label}
              aria-describedby="question-error"
              list="question-known"
              autocomplete="off"
              required
            />
            <datalist id="question-known">
              {q.field.known.map((name) => (
                <option key={name} value={name} />
              ))}
            </datalist>
          </>
        )}
        <p id="question-error" class="question-error" role="alert">
          {error.value}
        </p>
        <div class="question-buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit">{q.confirm}</button>
        </div>
      </form>
    </dialog>
  );
}
