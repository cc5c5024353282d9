//! Calls to the API server: each with a deadline, each failure with what was tried.

use std::time::Duration;

use tokio::time::timeout;

/// How long a call may take. The client has no timeout of its own for reading.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API server says no, or cannot be reached.
    #[error("cannot {what}")]
    Call {
        /// What was tried.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// It does not answer.
    #[error("cannot {what}: no answer within {} s", DEADLINE.as_secs())]
    Silent {
        /// What was tried.
        what: &'static str,
    },
}

impl Error {
    /// What the API server said, if it said something.
    pub(crate) fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Call { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Silent { .. } => None,
        }
    }

    /// The object is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.status().is_some_and(|status| status.code == 404)
    }

    /// The object has changed, or is another one.
    pub(crate) fn is_conflict(&self) -> bool {
        self.status().is_some_and(|status| status.code == 409)
    }

    /// The operator lacks a right.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.status().is_some_and(|status| status.code == 403)
    }

    /// The namespace is being deleted and takes nothing new: the cause with which the API server's
    /// plugin `NamespaceLifecycle` says so (`NamespaceTerminatingCause` of k8s.io/api/core/v1). It is
    /// no right that is lacking, though the code is the same. Or it has just gone.
    pub(crate) fn is_leaving(&self) -> bool {
        let Some(status) = self.status() else { return false };
        let Some(details) = &status.details else { return false };
        let gone = status.code == 404 && details.kind == "namespaces";
        gone || details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
    }

    /// The API server fails at it, or a webhook that it asks. Of one object that may last, while
    /// others are taken.
    pub(crate) fn is_fault(&self) -> bool {
        self.status().is_some_and(|status| (500..600).contains(&status.code))
    }

    /// What the object would be breaks a rule.
    pub(crate) fn is_invalid(&self) -> bool {
        self.status().is_some_and(|status| status.code == 422)
    }

    /// The object is wrong, and trying again does not help.
    pub(crate) fn is_refusal(&self) -> bool {
        let is = |code| matches!(code, 400 | 403 | 413 | 422);
        self.status().is_some_and(|status| is(status.code)) && !self.is_leaving()
    }
}

/// The answer of a call, or why there is none in time.
pub(crate) async fn call<T>(
    what: &'static str,
    asking: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match timeout(DEADLINE, asking).await {
        Ok(answer) => answer.map_err(|source| Error::Call { what, source: Box::new(source) }),
        Err(_) => Err(Error::Silent { what }),
    }
}

/// The whole chain in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        // Errors of the client repeat their source.
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        next = source.source();
    }
    line
}
