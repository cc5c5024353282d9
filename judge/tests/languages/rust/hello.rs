fn main() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let name = line.trim();
    println!("Hello, {name}!");
}
