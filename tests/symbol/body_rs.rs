// SPDX-License-Identifier: MIT
//
// A Rust program that prints addresses inside of functions of its own, and their names.
use std::fs;

// The value, in a way that the compiler cannot see through: std::hint::black_box is younger than
// Debian's compiler.
#[inline(always)]
fn opaque<T: Copy>(x: T) -> T {
    unsafe { std::ptr::read_volatile(&x) }
}

#[inline(never)]
fn outer(x: u64) -> u64 {
    opaque(x) + 1
}

struct Counter {
    n: u64,
}

impl Counter {
    #[inline(never)]
    fn count(&mut self, by: u64) -> u64 {
        self.n += opaque(by);
        self.n
    }
}

trait Shape {
    fn area(&self) -> u64;
}

impl Shape for Counter {
    #[inline(never)]
    fn area(&self) -> u64 {
        opaque(self.n) * 3
    }
}

fn main() {
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let f: Vec<&str> = line.split_whitespace().collect();
        let (lo, hi) = f[0].split_once('-').unwrap();
        if f[1].contains('x') {
            println!("map {} {} {} {}", lo, hi, f[2], f.get(5).unwrap_or(&""));
        }
    }
    let mut c = Counter { n: outer(1) };
    c.count(2);
    c.area();
    println!("at {:x} body_rs::outer:0", outer as usize + 1);
    let count = Counter::count as usize;
    println!("at {:x} body_rs::Counter::count|<body_rs::Counter>::count:0", count + 1);
    let area = Counter::area as usize;
    println!("at {:x} <body_rs::Counter as body_rs::Shape>::area:0", area + 1);
}
