// @EXPECTED_RESULTS@: MEMORY_LIMIT
// Draws a map of the whole path first, a thousand shades a milestone.
use std::io::{stdin, BufRead, Write};

fn main() {
    let mut lines = stdin().lock().lines().map(|line| line.expect("a line").trim().parse::<usize>().expect("a number"));
    let n = lines.next().expect("the number of milestones");
    let map: Vec<Vec<u8>> = (1..=1000).map(|shade| vec![(shade % 255) as u8 + 1; n]).collect();
    let (mut low, mut high) = (1, n);
    while low < high {
        let middle = (low + high) / 2;
        print!("? {}\n? {}\n", middle, middle + 1);
        std::io::stdout().flush().expect("the hut listens");
        if lines.next() < lines.next() {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    assert!(map.iter().all(|row| row[low - 1] > 0));
    println!("! {}", low);
}
