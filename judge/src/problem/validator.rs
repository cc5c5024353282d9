//! The output validator of a package: its own program, or the default one with its flags.

use std::path::PathBuf;

use super::grading::Scorer;
use super::metadata::{Metadata, Version};
use super::package::Package;
use super::program::{self, Sources};
use crate::checker::{self, FlagError};
use crate::model::{Abi, Checker, LimitsSpec, Program, Test, Tokens};

/// A validator that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its program.
    #[error(transparent)]
    Program(#[from] program::Error),
    /// Flags of the default validator.
    #[error("test {test:?} cannot be judged; correct validator_flags or output_validator_flags")]
    Flags {
        /// The first test that has them.
        test: String,
        /// What is wrong.
        #[source]
        source: FlagError,
    },
    /// A custom validator is asked for and there is none.
    #[error("{path:?} holds no validator; add one, or set validation: default in problem.yaml")]
    NoValidator {
        /// Where it should be.
        path: PathBuf,
    },
}

pub(super) fn scorer(metadata: &Metadata, checker: &Checker) -> Scorer {
    let is_program = matches!(checker, Checker::Custom { .. } | Checker::Interactive { .. });
    match metadata.custom {
        _ if !is_program => Scorer::Package,
        Some(custom) if custom.score => Scorer::ValidatorAlways,
        Some(_) => Scorer::Package,
        None => Scorer::Validator,
    }
}

/// The checker. Flags of the default validator that all tests have become its own.
pub(super) fn read(
    package: &Package,
    metadata: &Metadata,
    tests: &mut [Test],
) -> Result<Checker, Error> {
    let (folder, flat) = match metadata.version {
        Version::Legacy => ("output_validators", false),
        Version::V2025_09 => ("output_validator", true),
    };
    let sources = match metadata.custom {
        Some(custom) if !custom.custom => None,
        _ => program::validator(package, folder, flat, &metadata.constants)?,
    };
    let needed = metadata.interactive || metadata.custom.is_some_and(|c| c.custom);
    match sources {
        Some(sources) => {
            let program = validator_program(metadata, sources);
            let abi = Abi::Icpc;
            Ok(if metadata.interactive {
                Checker::Interactive { abi, program }
            } else {
                Checker::Custom { abi, program }
            })
        }
        None if needed => Err(Error::NoValidator { path: package.path(folder) }),
        None => default_validator(tests),
    }
}

fn default_validator(tests: &mut [Test]) -> Result<Checker, Error> {
    let plain = Checker::Tokens(Tokens::default());
    let mut common = None;
    for test in tests.iter() {
        let checker = checker::with_args(&plain, &test.checker_args)
            .map_err(|source| Error::Flags { test: test.name.clone(), source })?;
        common.get_or_insert_with(|| checker.into_owned());
    }
    let same = tests.windows(2).all(|two| two[0].checker_args == two[1].checker_args);
    match common {
        Some(checker) if same => {
            tests.iter_mut().for_each(|t| t.checker_args.clear());
            Ok(checker)
        }
        _ => Ok(plain),
    }
}

fn validator_program(metadata: &Metadata, sources: Sources) -> Program {
    let Sources { files, entry, code } = sources;
    let limits = &metadata.limits;
    Program {
        language: code.unwrap_or_default().to_owned(),
        files,
        entry,
        args: Vec::new(),
        limits: LimitsSpec {
            cpu_ms: Some(limits.validation_time.saturating_mul(1000)),
            memory_bytes: Some(super::mebibytes(limits.validation_memory_mib)),
            output_bytes: Some(super::mebibytes(limits.validation_output_mib)),
            ..LimitsSpec::default()
        },
    }
}
