fn main() {
    let name = String::new();
    drop(name);
    println!("{name}");
}
