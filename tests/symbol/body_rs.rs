// SPDX-License-Identifier: MIT
//
// A Rust program that prints addresses inside of functions of its own, and their names.
use std::fs;

#[inline(never)]
fn outer(x: u64) -> u64 {
    std::hint::black_box(x) + 1
}

struct Counter {
    n: u64,
}

impl Counter {
    #[inline(never)]
    fn count(&mut self, by: u64) -> u64 {
        self.n += std::hint::black_box(by);
        self.n
    }
}

trait Shape {
    fn area(&self) -> u64;
}

impl Shape for Counter {
    #[inline(never)]
    fn area(&self) -> u64 {
        std::hint::black_box(self.n) * 3
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
