// SPDX-License-Identifier: MIT
//
// truth.c's idea in Rust: generics, trait objects and a closure, so that Rust's names are there.
// The value, in a way that the compiler cannot see through: std::hint::black_box is younger than
// Debian's compiler.
#[inline(always)]
fn opaque<T: Copy>(x: T) -> T {
    unsafe { std::ptr::read_volatile(&x) }
}

#[repr(C)]
struct Timespec {
    sec: i64,
    nsec: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

fn clock_ns(clock: i32) -> i64 {
    let mut t = Timespec { sec: 0, nsec: 0 };
    unsafe { clock_gettime(clock, &mut t) };
    t.sec * 1_000_000_000 + t.nsec
}

mod work {
    pub trait Burn {
        fn name(&self) -> &'static str;
        fn burn(&mut self) -> u64;
    }

    pub struct Mixer<const ROUNDS: u64>;

    impl<const ROUNDS: u64> Mixer<ROUNDS> {
        #[inline(never)]
        fn burn_mixer(&mut self) -> u64 {
            (0..ROUNDS).fold(1u64, |x, _| (x ^ (x >> 29)).wrapping_mul(0x9e3779b97f4a7c15) | 1)
        }
    }

    impl<const ROUNDS: u64> Burn for Mixer<ROUNDS> {
        fn name(&self) -> &'static str {
            "burn_mixer"
        }
        fn burn(&mut self) -> u64 {
            super::opaque(self.burn_mixer()) | 1
        }
    }

    pub struct Sorter {
        pub numbers: Vec<u32>,
    }

    impl Sorter {
        #[inline(never)]
        fn burn_sorter(&mut self) -> u64 {
            let mut seed = 7u32;
            for n in self.numbers.iter_mut() {
                seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
                *n = seed;
            }
            self.numbers.sort_by(|a, b| b.cmp(a));
            self.numbers[0] as u64
        }
    }

    impl Burn for Sorter {
        fn name(&self) -> &'static str {
            "burn_sorter"
        }
        fn burn(&mut self) -> u64 {
            super::opaque(self.burn_sorter()) | 1
        }
    }
}

fn main() {
    const PROCESS: i32 = 2;
    const THREAD: i32 = 3;
    let ms: i64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(1000);
    let mut burners: Vec<(Box<dyn work::Burn>, i64)> = vec![
        (Box::new(work::Mixer::<200_000>), 0),
        (Box::new(work::Sorter { numbers: vec![0; 20_000] }), 0),
    ];
    let mut sink = 0u64;
    let mut now = clock_ns(THREAD);
    while now < ms * 1_000_000 {
        for (burner, ns) in burners.iter_mut() {
            sink = sink.wrapping_add(burner.burn());
            let then = now;
            now = clock_ns(THREAD);
            *ns += now - then;
        }
    }
    opaque(sink);
    println!("tasks 1");
    for (burner, ns) in &burners {
        println!("truth {} {}", burner.name(), ns);
    }
    println!("total {}", clock_ns(PROCESS));
}
