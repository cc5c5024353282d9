use std::io::Read;

fn main() {
    let mut log = Vec::new();
    std::io::stdin().read_to_end(&mut log).expect("the log can be read");
    let mut count = [0u32; 256];
    for letter in log {
        count[usize::from(letter)] += 1;
    }
    let used = (b'a'..=b'z').filter(|&letter| count[usize::from(letter)] > 0);
    let best = used.min_by_key(|&letter| count[usize::from(letter)]).expect("there is a thread");
    println!("{} {}", char::from(best), count[usize::from(best)]);
}
