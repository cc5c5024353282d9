//! isolate and go-judge, the same program in turns with ours: alone, and with all CPUs busy. Either
//! is left out, with the reason, where it is not to be had.

mod go_judge;
mod isolate;

use std::sync::Mutex;

use crate::http::Client;
use crate::lab::Lab;
use crate::programs::Program;
use crate::samples::{Rounds, Samples};
use crate::service::{self, Service};
use crate::table::{Limit, Table};

const ROUNDS: usize = 20;
const RUNS: usize = 20;

/// Tests of one submission where submissions are many.
const TESTS: usize = 50;

pub(crate) fn measure(lab: &Lab, table: &mut Table) {
    let program = Program::nothing("static C", &["-static"]);
    beside_isolate(lab, table, &program);
    beside_go_judge(lab, table, &program);
}

fn beside_isolate(lab: &Lab, table: &mut Table, program: &Program) {
    let what = "isolate --init, --run, --cleanup, over ours, whole cycle, p50";
    let isolate = match isolate::Isolate::find(program) {
        Ok(isolate) => isolate,
        Err(why) => return table.skip(what, "times", Limit::AtLeast(4.0), &why),
    };
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        ours.turn(RUNS, || drop(program.boxed(&lab.sandbox, &lab.cancel)));
        theirs.turn(RUNS, || isolate.run());
    }
    table.spread("static C, beside isolate: native, whole cycle", &ours);
    table.spread(format!("static C: {}", isolate.version), &theirs);
    table.row(what, theirs.at(50) / ours.at(50), "times", Limit::AtLeast(4.0));
}

/// By the library, and by evalx's own service.
fn beside_go_judge(lab: &Lab, table: &mut Table, program: &Program) {
    let server = match go_judge::Server::start(program) {
        Ok(server) => server,
        Err(why) => {
            let what = "go-judge, POST /run, over ours, by the library, p50";
            return table.skip(what, "times", Limit::AtLeast(2.0), &why);
        }
    };
    let service = Service::start();
    let mut theirs = server.client();
    let mut evalx = service.as_ref().map(Service::client).ok();
    let one = service::submission(1);
    server.run(&mut theirs);
    if let Some(evalx) = &mut evalx {
        service::judge(evalx, &one);
    }
    let [mut a, mut b, mut c] = [(); 3].map(|()| Samples::default());
    for _ in 0..ROUNDS {
        a.turn(RUNS, || drop(program.boxed(&lab.sandbox, &lab.cancel)));
        b.turn(RUNS, || server.run(&mut theirs));
        if let Some(evalx) = &mut evalx {
            c.turn(RUNS, || service::judge(evalx, &one));
        }
    }
    table.spread("static C, beside go-judge: native, whole cycle", &a);
    table.spread("static C: go-judge 1.12.2, POST /run over loopback", &b);
    compare(table, "by the library", [a.at(50), b.at(50)], [a.at(99), b.at(99)]);
    match &service {
        Ok(_) => {
            table.spread("static C: evalx up, POST /v1/submissions?wait, one test", &c);
            compare(table, "by evalx up", [c.at(50), b.at(50)], [c.at(99), b.at(99)]);
        }
        Err(why) => {
            let what = "go-judge, POST /run, over ours, by evalx up, p50";
            table.skip(what, "times", Limit::AtLeast(2.0), why);
        }
    }
    saturated(lab, table, program, &server, service.as_ref().ok());
}

fn compare(table: &mut Table, how: &str, p50: [f64; 2], p99: [f64; 2]) {
    let what = format!("go-judge, POST /run, over ours, {how}, p50");
    table.row(&what, p50[1] / p50[0], "times", Limit::AtLeast(2.0));
    let what = format!("go-judge, POST /run, over ours, {how}, p99");
    table.row(&what, p99[1] / p99[0], "times", Limit::AtLeast(1.0));
}

/// As many at once as there are CPUs; go-judge also twice as many, so that none of its boxes waits for
/// a client, and its better figure counts.
fn saturated(
    lab: &Lab,
    table: &mut Table,
    program: &Program,
    server: &go_judge::Server,
    service: Option<&Service>,
) {
    let lanes = lab.lanes;
    let clients = |count: usize, new: &dyn Fn() -> Client| -> Vec<Mutex<Client>> {
        (0..count).map(|_| Mutex::new(new())).collect()
    };
    let theirs = clients(2 * lanes, &|| server.client());
    let evalx = service.map(|service| clients(lanes, &|| service.client()));
    let many = service::submission(TESTS);
    let [mut ours, mut few, mut more, mut loops] = [(); 4].map(|()| Rounds::default());
    let ask = |lane: usize| server.run(&mut theirs[lane].lock().expect("no lane panics"));
    for _ in 0..ROUNDS {
        ours.push(Lab::crowd(lanes, |_| drop(program.boxed(&lab.sandbox, &lab.cancel))));
        few.push(Lab::crowd(lanes, ask));
        more.push(Lab::crowd(2 * lanes, ask));
        if let Some(evalx) = &evalx {
            loops.push(crate::samples::Crowd::of(lanes, 2, |lane| {
                service::judge(&mut evalx[lane].lock().expect("no lane panics"), &many);
            }));
        }
    }
    table.rounds(format!("static C, {lanes} at a time, beside go-judge: native"), &ours);
    table.rounds(format!("static C, {lanes} at a time: go-judge"), &few);
    table.rounds(format!("static C, {} at a time: go-judge", 2 * lanes), &more);
    let best = few.a_second().max(more.a_second());
    let what = "runs a second, saturated: ours by the library, over go-judge's";
    table.row(what, ours.a_second() / best, "times", Limit::AtLeast(2.0));
    let what = "p99, saturated: go-judge's over ours by the library";
    table.row(what, few.each().at(99) / ours.each().at(99), "times", Limit::AtLeast(1.0));
    if evalx.is_some() {
        let what = format!("submissions of {TESTS} tests, {lanes} at a time: evalx up");
        table.rounds(what, &loops);
        let a_second = loops.a_second() * TESTS as f64;
        table.figure("runs a second, saturated, by evalx up", a_second, "a second");
        let what = "runs a second, saturated: ours by evalx up, over go-judge's";
        table.row(what, a_second / best, "times", Limit::AtLeast(2.0));
    }
}
