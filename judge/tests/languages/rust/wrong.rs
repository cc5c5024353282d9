fn main() {
    println!("Goodbye!");
}
