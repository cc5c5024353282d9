// Takes for granted that some step squeaks: a panic when none does.
use std::io::Read;

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("input is text");
    let numbers: Vec<usize> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let (n, squeaky) = (numbers[0], &numbers[2..]);
    let mut next = 0;
    let mut ways = vec![1u64];
    for step in 1..=n {
        let sum: u64 = ways.iter().rev().take(3).sum();
        let squeaks = squeaky[next] == step;
        if squeaks && next + 1 < squeaky.len() {
            next += 1;
        }
        ways.push(if squeaks { 0 } else { sum % 1_000_000_007 });
    }
    println!("{}", ways[n]);
}
