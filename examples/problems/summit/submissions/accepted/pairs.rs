use std::io::{stdin, BufRead, Write};

fn main() {
    let mut lines = stdin().lock().lines().map(|line| line.expect("a line").trim().parse::<u32>().expect("a number"));
    let mut out = std::io::stdout();
    let (mut low, mut high) = (1, lines.next().expect("the number of milestones"));
    while low < high {
        let middle = (low + high) / 2;
        // Both questions at once: half as many turns.
        write!(out, "? {}\n? {}\n", middle, middle + 1).and_then(|()| out.flush()).expect("the hut listens");
        let (left, right) = (lines.next(), lines.next());
        if left < right {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    println!("! {}", low);
}
