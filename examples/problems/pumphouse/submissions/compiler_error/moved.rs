// @EXPECTED_RESULTS@: COMPILER_ERROR
// The farms are moved into the first sum and used again.
fn total(farms: Vec<(f64, f64)>, pump: f64) -> f64 {
    farms.into_iter().map(|(x, y)| (x - pump).hypot(y)).sum()
}

fn main() {
    let farms = vec![(0.0, 1.0)];
    println!("{}", f64::min(total(farms, 0.0), total(farms, 1.0)));
}
