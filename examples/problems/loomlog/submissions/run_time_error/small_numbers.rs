// Expects that no thread, dyed or not, occurs more than 65535 times: a panic.
use std::io::Read;

fn main() {
    let mut log = Vec::new();
    std::io::stdin().read_to_end(&mut log).expect("the log can be read");
    let mut count = [0u16; 256];
    for thread in log {
        let times = &mut count[usize::from(thread)];
        *times = times.checked_add(1).expect("a thread is not used that often");
    }
    let used = (b'a'..=b'z').filter(|&letter| count[usize::from(letter)] > 0);
    let best = used.min_by_key(|&letter| count[usize::from(letter)]).expect("there is a thread");
    println!("{} {}", char::from(best), count[usize::from(best)]);
}
