// @EXPECTED_RESULTS@: MEMORY_LIMIT
// Draws a map of which flag may hang beside which: a table of all pairs of flags.
use std::io::Read;

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("input is text");
    let counts = text.split_whitespace().skip(1).map(|word| word.parse::<usize>().expect("a number"));
    let mut flags: Vec<(usize, u8)> = counts.zip(b'a'..=b'z').collect();
    flags.sort_by(|a, b| b.cmp(a));
    let total: usize = flags.iter().map(|flag| flag.0).sum();
    let mut may = vec![vec![1u8; total]; total];
    if flags[0].0 > (total + 1) / 2 {
        println!("impossible");
        return;
    }
    let places = (0..total).step_by(2).chain((1..total).step_by(2));
    let colours = flags.iter().flat_map(|&(count, colour)| std::iter::repeat(colour).take(count));
    for (place, colour) in places.zip(colours) {
        may[place][place] = colour;
    }
    let cord = (0..total).map(|place| char::from(may[place][place]));
    println!("{}", cord.collect::<String>());
}
