// Prints a sentence.
fn main() {
    let mut log = String::new();
    std::io::stdin().read_line(&mut log).expect("input is text");
    println!("{} strokes, all of them straight", log.trim_end().len());
}
