use std::io::Read;

fn total(pump: f64, farms: &[f64]) -> f64 {
    farms.chunks(2).map(|farm| (farm[0] - pump).hypot(farm[1])).sum()
}

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("input is text");
    let farms: Vec<f64> = text.split_whitespace().skip(1).map(|word| word.parse().expect("a number")).collect();
    let (mut low, mut high) = (-1e6, 1e6);
    for _ in 0..120 {
        let third = (high - low) / 3.0;
        if total(low + third, &farms) < total(high - third, &farms) {
            high -= third;
        } else {
            low += third;
        }
    }
    println!("{:.10e}", total(low, &farms));
}
