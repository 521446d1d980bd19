// SPDX-License-Identifier: GPL-2.0-only
//! The benchmark's address space for Stateright: peer PAGES THREADS explores all of it, breadth first.
//! A page is a byte: 0 unmapped, else its protection in the low two bits and its anon_vma, or 0, above them.

use stateright::{Checker, Model, Property};
use std::ops::Range;
use std::time::Instant;

const UNMAPPED: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 3;
const PROT: u8 = 3;

fn anon(page: u8) -> u8 {
    page >> 2
}

/// One protection, and one anon_vma or none on either side.
fn mergeable(a: u8, b: u8) -> bool {
    (a ^ b) & PROT == 0 && (a == b || anon(a) == 0 || anon(b) == 0)
}

#[derive(Clone, Debug, PartialEq)]
enum Operation {
    Map(Range<usize>, u8),
    Unmap(Range<usize>),
    Protect(Range<usize>, u8),
    Fault(usize),
}

struct AddressSpace<const N: usize>;

impl<const N: usize> Model for AddressSpace<N> {
    type State = [u8; N];
    type Action = Operation;

    fn init_states(&self) -> Vec<[u8; N]> {
        vec![[UNMAPPED; N]]
    }

    fn actions(&self, state: &[u8; N], actions: &mut Vec<Operation>) {
        for start in 0..N {
            for end in start + 1..=N {
                let range = &state[start..end];
                for prot in [READ, WRITE] {
                    actions.push(Operation::Map(start..end, prot));
                    if !range.contains(&UNMAPPED) {
                        actions.push(Operation::Protect(start..end, prot));
                    }
                }
                if range.iter().any(|&page| page != UNMAPPED) {
                    actions.push(Operation::Unmap(start..end));
                }
            }
            if state[start] == WRITE {
                actions.push(Operation::Fault(start));
            }
        }
    }

    fn next_state(&self, state: &[u8; N], operation: Operation) -> Option<[u8; N]> {
        let mut pages = *state;
        match operation {
            Operation::Map(range, prot) => pages[range].fill(prot),
            Operation::Unmap(range) => pages[range].fill(UNMAPPED),
            Operation::Protect(range, prot) => pages[range].iter_mut().for_each(|page| *page = *page & !PROT | prot),
            Operation::Fault(page) => fault(&mut pages, page),
        }
        tidy(&mut pages);
        Some(pages)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("inv", |_, state: &[u8; N]| {
            state.windows(2).all(|pair| pair[0] == pair[1] || !mergeable(pair[0], pair[1]))
        })]
    }
}

/// The vma takes the anon_vma of the next one, else of the one before, else a new one.
fn fault(pages: &mut [u8], page: usize) {
    let elsewhere = |&other: &u8| other != WRITE;
    let start = pages[..page].iter().rposition(elsewhere).map_or(0, |before| before + 1);
    let end = pages[page..].iter().position(elsewhere).map_or(pages.len(), |after| page + after);
    let before = if start > 0 { anon(pages[start - 1]) } else { 0 };
    let taken = match pages.get(end).map_or(0, |&next| anon(next)) {
        0 if before == 0 => 1 + pages.iter().map(|&page| anon(page)).max().unwrap_or(0),
        0 => before,
        next => next,
    };
    pages[start..end].fill(WRITE | taken << 2);
}

/// Merge neighbours from left to right, then number the anon_vmas by first appearance.
fn tidy<const N: usize>(pages: &mut [u8; N]) {
    let mut numbers = [0; 16];
    let (mut start, mut numbered) = (0, 0);
    while start < N {
        let (mut vma, mut end) = (pages[start], start + 1);
        while end < N && mergeable(vma, pages[end]) {
            vma |= pages[end];
            end += 1;
        }
        if anon(vma) > 0 {
            let number = &mut numbers[anon(vma) as usize];
            if *number == 0 {
                numbered += 1;
                *number = numbered;
            }
            vma = vma & PROT | *number << 2;
        }
        pages[start..end].fill(vma);
        start = end;
    }
}

fn explore<const N: usize>(threads: usize) {
    let started = Instant::now();
    let checker = AddressSpace::<N>.checker().threads(threads).spawn_bfs().join();
    let seconds = started.elapsed().as_secs_f64();
    checker.assert_properties();
    println!(
        "{{\"states\": {}, \"transitions\": {}, \"depth\": {}, \"search_seconds\": {seconds:.6}}}",
        checker.unique_state_count(),
        checker.state_count() - 1, // without the initial state
        checker.max_depth() - 1,   // in steps
    );
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let explore = match numbers[0] {
        3 => explore::<3>,
        4 => explore::<4>,
        5 => explore::<5>,
        6 => explore::<6>,
        7 => explore::<7>,
        8 => explore::<8>,
        _ => panic!("3 to 8 pages"),
    };
    explore(numbers[1]);
}
