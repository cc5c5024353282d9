fn main() {
    let mut log = String::new();
    std::io::stdin().read_line(&mut log).expect("input is text");
    let log = log.trim_end().as_bytes();
    let mut seen = vec![0u64; 2 * log.len() + 1];
    let mut course = log.len();
    let mut found = 0;
    seen[course] = 1;
    for &stroke in log {
        course = if stroke == b'L' { course + 1 } else { course - 1 };
        found += seen[course];
        seen[course] += 1;
    }
    println!("{}", found);
}
