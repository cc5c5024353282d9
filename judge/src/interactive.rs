//! Interactive tests: submission and interactor, each in a box of its own, wired by pipes that
//! run through here, and who is to blame when it goes wrong.
//!
//! The bytes pass through this process for one reason: who ended first. Neither side can learn of
//! the other's end except by what is closed here, so the order in which the ends are seen here is
//! the order of cause and effect, however long the engines take to report them. It also bounds
//! what either side may write.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::thread;

use sandbox::{Bytes, Cancel, Captured, Job, Outcome, Sandbox, Stdin, Stdout, Termination};

use crate::model::Verdict;
use crate::rules::Opinion;

/// What is kept of what the submission said, for the report.
const KEPT: usize = 64 << 10;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Submission,
    Interactor,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Submission => Self::Interactor,
            Self::Interactor => Self::Submission,
        }
    }
}

/// A conversation, over.
#[derive(Debug)]
pub(crate) struct Talk {
    /// Who stopped talking first.
    pub(crate) first: Side,
    /// Its standard output is the beginning of what it said.
    pub(crate) submission: Outcome,
    pub(crate) interactor: Outcome,
}

/// A conversation that could not be held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TalkError {
    #[error("cannot make the pipes or threads of an interactive test")]
    Wire(#[source] io::Error),
    #[error("cannot run the submission of an interactive test")]
    Submission(#[source] sandbox::Error),
    #[error("cannot run the interactor")]
    Interactor(#[source] sandbox::Error),
}

impl TalkError {
    /// Whether another try may succeed.
    pub(crate) fn passing(&self) -> bool {
        match self {
            Self::Wire(_) => false,
            Self::Submission(error) | Self::Interactor(error) => {
                matches!(error, sandbox::Error::Engine { .. })
            }
        }
    }
}

/// Who is to blame, by the convention of ICPC and Kattis: an interactor that has rejected before
/// the submission ended has decided; otherwise a submission that failed has failed by itself;
/// otherwise the interactor decides. `submission` is the verdict on its run alone, `limit` whether
/// a limit ended the interactor.
pub(crate) fn blame(first: Side, submission: Verdict, interactor: Opinion, limit: bool) -> Verdict {
    use Verdict::{Accepted, IdlenessLimit, InternalError, WrongAnswer};
    match (first, submission, interactor) {
        (Side::Interactor, _, Opinion::Rejects) | (_, Accepted, Opinion::Rejects) => WrongAnswer,
        (_, Accepted, Opinion::Accepts) => Accepted,
        // An interactor that fails by itself; one that fails over a submission that is no more
        // has an excuse.
        (Side::Interactor, _, Opinion::Fails | Opinion::None)
        | (_, Accepted, Opinion::Fails | Opinion::None) => InternalError,
        // The submission waited for an interactor that was busy until its own limit.
        (Side::Submission, IdlenessLimit, Opinion::Fails) if limit => InternalError,
        (_, failed, _) => failed,
    }
}

/// Lets the two talk until both have ended. `accepts` tells whether the interactor accepted: when
/// it ended first and did not, nothing that the submission does matters any more.
pub(crate) fn talk(
    sandbox: &dyn Sandbox,
    mut submission: Job,
    mut interactor: Job,
    accepts: &(dyn Fn(&Outcome) -> bool + Sync),
    cancel: &Cancel,
) -> Result<Talk, TalkError> {
    let first = &OnceLock::new();
    let speaker = |side| {
        let flag = cancel.child().map_err(TalkError::Wire)?;
        Ok(Speaker { side, flag, first })
    };
    let (theirs, ours) = (speaker(Side::Submission)?, speaker(Side::Interactor)?);
    let forth = wire(&mut submission, &mut interactor).map_err(TalkError::Wire)?;
    let back = wire(&mut interactor, &mut submission).map_err(TalkError::Wire)?;
    let (may_say, may_answer) = (submission.limits.output, interactor.limits.output);
    let (theirs, ours) = (&theirs, &ours);
    let (said, answered, interactor, submission) = thread::scope(|scope| {
        let spawn = |name: &str| thread::Builder::new().name(name.to_owned());
        let back = spawn("interactor-to-submission")
            .spawn_scoped(scope, move || ours.pump(back, may_answer))?;
        let forth = spawn("submission-to-interactor")
            .spawn_scoped(scope, move || theirs.pump(forth, may_say))?;
        let referee = spawn("interactor").spawn_scoped(scope, move || {
            let ended = sandbox.run(interactor, &ours.flag);
            if ours.is_first() && !ended.as_ref().is_ok_and(accepts) {
                theirs.flag.cancel();
            }
            ended
        })?;
        let ended = sandbox.run(submission, &theirs.flag);
        theirs.is_first();
        let never = "a thread of a conversation does not panic";
        let referee = referee.join().expect(never);
        Ok((forth.join().expect(never), back.join().expect(never), referee, ended))
    })
    .map_err(TalkError::Wire)?;
    let mut submission = submission.map_err(TalkError::Submission)?;
    let mut interactor = interactor.map_err(TalkError::Interactor)?;
    said.judge(&mut submission);
    answered.judge(&mut interactor);
    submission.stdout = said.kept;
    let first = *first.get().expect("each speaker has claimed it");
    Ok(Talk { first, submission, interactor })
}

/// One direction: what `from` writes is read here and written to what `to` reads.
struct Wire {
    source: PipeReader,
    sink: PipeWriter,
}

fn wire(from: &mut Job, to: &mut Job) -> io::Result<Wire> {
    let (source, stdout) = io::pipe()?;
    let (stdin, sink) = io::pipe()?;
    from.stdout = Stdout::Pipe(OwnedFd::from(stdout));
    to.stdin = Stdin::Pipe(OwnedFd::from(stdin));
    Ok(Wire { source, sink })
}

/// Who talks on a wire, and how to stop it.
struct Speaker<'a> {
    side: Side,
    flag: Cancel,
    first: &'a OnceLock<Side>,
}

/// What came over a wire.
struct Speech {
    kept: Captured,
    flood: bool,
}

impl Speaker<'_> {
    /// Carries bytes until the speaker closes its end. When nobody listens any more they are still
    /// read, so that a speaker is never killed for talking to one who has left.
    fn pump(&self, wire: Wire, max: Bytes) -> Speech {
        let Wire { mut source, sink } = wire;
        let mut sink = Some(sink);
        let mut speech = Speech { kept: Captured::default(), flood: false };
        let mut buffer = vec![0; 64 << 10];
        let mut total = 0;
        loop {
            let read = match source.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            total += read as u64;
            if total > max.0 {
                speech.flood = true;
                if sink.is_none() {
                    // Who has left before does not lose that for being slow to say so.
                    self.first.get_or_init(|| self.side.other());
                }
                self.flag.cancel();
                break;
            }
            let keep = read.min(KEPT - speech.kept.bytes.len());
            speech.kept.bytes.extend_from_slice(&buffer[..keep]);
            speech.kept.truncated |= keep < read;
            if sink.as_mut().is_some_and(|s| s.write_all(&buffer[..read]).is_err()) {
                sink = None;
            }
        }
        // Before the other side can see it: `sink` closes when this returns.
        self.is_first();
        speech
    }

    /// Claims to have ended first; whether that is so.
    fn is_first(&self) -> bool {
        *self.first.get_or_init(|| self.side) == self.side
    }
}

impl Speech {
    /// A speaker that was stopped for a flood has exceeded its output limit.
    fn judge(&self, outcome: &mut Outcome) {
        if self.flood {
            outcome.termination = Termination::OutputLimit;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{BufRead as _, BufReader};

    use sandbox::Error;

    use super::*;
    use crate::fake::{Call, Fake, broken, ended};

    #[test]
    fn blame_falls_as_the_convention_says() {
        use Opinion::{Accepts, Fails, Rejects};
        use Side::{Interactor, Submission};
        use Verdict::{
            Accepted as AC, IdlenessLimit as ILE, InternalError as IE, OutputLimit as OLE,
            RuntimeError as RE, Skipped, TimeLimit as TLE, WrongAnswer as WA,
        };
        let rows = [
            ("both are happy", Submission, AC, Accepts, false, AC),
            ("the interactor accepts and leaves first", Interactor, AC, Accepts, false, AC),
            ("an early end, and the interactor is not content", Submission, AC, Rejects, false, WA),
            ("rejected, then ended well", Interactor, AC, Rejects, false, WA),
            ("rejected, then crashed", Interactor, RE, Rejects, false, WA),
            ("rejected, then out of time", Interactor, TLE, Rejects, false, WA),
            ("rejected, then stopped by us", Interactor, Skipped, Rejects, false, WA),
            ("crashed, then rejected", Submission, RE, Rejects, false, RE),
            ("out of time, then rejected", Submission, TLE, Rejects, false, TLE),
            ("crashed, though accepted", Submission, RE, Accepts, false, RE),
            ("accepted, then crashed", Interactor, RE, Accepts, false, RE),
            ("accepted, then out of time", Interactor, TLE, Accepts, false, TLE),
            ("flooded, then rejected", Submission, OLE, Rejects, false, OLE),
            ("both waited", Submission, ILE, Rejects, false, ILE),
            ("both waited, then the interactor crashed", Submission, ILE, Fails, false, ILE),
            ("waited for an interactor in a loop", Submission, ILE, Fails, true, IE),
            ("the interactor crashed by itself", Interactor, RE, Fails, false, IE),
            (
                "the interactor crashed, and the submission was stopped",
                Interactor,
                Skipped,
                Fails,
                false,
                IE,
            ),
            ("the interactor crashed over a good submission", Submission, AC, Fails, false, IE),
            ("the interactor hung over a good submission", Submission, AC, Fails, true, IE),
            ("the interactor crashed over a dead submission", Submission, RE, Fails, false, RE),
            ("the interactor hung over a dead submission", Submission, RE, Fails, true, RE),
        ];
        for (case, first, submission, interactor, limit, expected) in rows {
            assert_eq!(blame(first, submission, interactor, limit), expected, "{case}");
        }
    }

    /// The guest's ends of a call.
    fn streams(call: Call<'_>) -> (BufReader<File>, File) {
        match (call.job.stdin, call.job.stdout) {
            (Stdin::Pipe(stdin), Stdout::Pipe(stdout)) => {
                (BufReader::new(File::from(stdin)), File::from(stdout))
            }
            other => panic!("no pipes: {other:?}"),
        }
    }

    fn line(from: &mut BufReader<File>) -> String {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        line
    }

    fn play(
        submission: impl Fn(Call<'_>) -> Result<Outcome, Error> + Send + Sync + 'static,
        interactor: impl Fn(Call<'_>) -> Result<Outcome, Error> + Send + Sync + 'static,
    ) -> Result<Talk, TalkError> {
        let fake = Fake::new(move |call| {
            if call.job.argv[0] == "/interactor" { interactor(call) } else { submission(call) }
        });
        let job = |program: &str| {
            let mut job = Job::new(vec![program.to_owned()]);
            job.limits.output = Bytes::kib(256);
            job
        };
        let accepts = |o: &Outcome| o.termination == Termination::Exited(42);
        let never = Cancel::new().unwrap();
        talk(&fake, job("/submission"), job("/interactor"), &accepts, &never)
    }

    fn exit(code: i32) -> Result<Outcome, Error> {
        Ok(ended(Termination::Exited(code)))
    }

    #[test]
    fn what_one_says_the_other_hears_and_the_report_keeps() {
        let talk = play(
            |call| {
                let (mut hear, mut say) = streams(call);
                say.write_all(b"question\n").unwrap();
                assert_eq!(line(&mut hear), "answer\n");
                exit(0)
            },
            |call| {
                let (mut hear, mut say) = streams(call);
                assert_eq!(line(&mut hear), "question\n");
                say.write_all(b"answer\n").unwrap();
                assert_eq!(line(&mut hear), "", "the end of an early exit");
                exit(42)
            },
        )
        .unwrap();
        assert_eq!(talk.first, Side::Submission);
        assert_eq!(talk.submission.stdout.bytes, b"question\n");
        assert_eq!(talk.interactor.termination, Termination::Exited(42));
    }

    #[test]
    fn who_rejects_first_is_first_even_when_the_submission_dies_of_it_and_returns_before() {
        let dead = std::sync::Arc::new(std::sync::Barrier::new(2));
        let dies = std::sync::Arc::clone(&dead);
        let talk = play(
            move |call| {
                let (mut hear, _say) = streams(call);
                assert_eq!(line(&mut hear), "");
                dies.wait();
                Ok(ended(Termination::Signalled(6)))
            },
            move |call| {
                drop(streams(call));
                // The process is gone, but its engine is slow to say so.
                dead.wait();
                exit(43)
            },
        )
        .unwrap();
        assert_eq!(talk.first, Side::Interactor);
    }

    #[test]
    fn a_rejected_submission_is_stopped_and_an_accepted_one_is_not() {
        let talk = play(
            |call| call.until_cancelled(),
            |call| {
                drop(streams(call));
                exit(43)
            },
        )
        .unwrap();
        assert_eq!(talk.first, Side::Interactor);
        assert_eq!(talk.submission.termination, Termination::Cancelled);
        let talk = play(
            |call| {
                let cancel = call.cancel.clone();
                let (mut hear, mut say) = streams(call);
                assert_eq!(line(&mut hear), "");
                // Nobody listens any more, yet talking is no crime.
                for _ in 0..20 {
                    say.write_all(&[b'x'; 10_000]).unwrap();
                }
                assert!(!cancel.is_cancelled());
                exit(0)
            },
            |call| {
                drop(streams(call));
                exit(42)
            },
        )
        .unwrap();
        assert_eq!(talk.submission.termination, Termination::Exited(0));
        assert_eq!((talk.first, talk.submission.stdout.truncated), (Side::Interactor, true));
    }

    #[test]
    fn a_flood_of_either_side_ends_it() {
        fn flood(call: Call<'_>) -> Result<Outcome, Error> {
            let cancel = call.cancel.clone();
            let (_hear, mut say) = streams(call);
            while say.write_all(&[b'x'; 4096]).is_ok() {}
            assert!(cancel.is_cancelled());
            Ok(ended(Termination::Cancelled))
        }
        fn listen(call: Call<'_>) -> Result<Outcome, Error> {
            let (mut hear, _say) = streams(call);
            let _heard = io::copy(&mut hear, &mut io::sink());
            exit(43)
        }
        let talk = play(flood, listen).unwrap();
        assert_eq!(talk.submission.termination, Termination::OutputLimit);
        assert_eq!(talk.first, Side::Submission);
        let talk = play(listen, flood).unwrap();
        assert_eq!(talk.interactor.termination, Termination::OutputLimit);
        assert_eq!(talk.first, Side::Interactor);
    }

    #[test]
    fn who_has_left_before_a_flood_was_first() {
        let flooded = std::sync::Arc::new(std::sync::Barrier::new(2));
        let over = std::sync::Arc::clone(&flooded);
        let talk = play(
            move |call| {
                let (_hear, mut say) = streams(call);
                while say.write_all(&[b'x'; 4096]).is_ok() {}
                over.wait();
                Ok(ended(Termination::Cancelled))
            },
            move |call| {
                let (hear, _say) = streams(call);
                drop(hear);
                // The process is gone, but nobody has been told yet.
                flooded.wait();
                exit(43)
            },
        )
        .unwrap();
        assert_eq!(talk.submission.termination, Termination::OutputLimit);
        assert_eq!(talk.first, Side::Interactor);
    }

    #[test]
    fn an_engine_that_fails_on_one_side_lets_the_other_end() {
        let listen = |call: Call<'_>| {
            let (mut hear, _say) = streams(call);
            assert_eq!(line(&mut hear), "");
            exit(0)
        };
        let failed = play(|_| Err(broken()), listen).unwrap_err();
        assert!(matches!(failed, TalkError::Submission(_)) && failed.passing());
        assert!(matches!(play(listen, |_| Err(broken())).unwrap_err(), TalkError::Interactor(_)));
    }
}
