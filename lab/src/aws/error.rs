//! The errors that the API answers with.

use std::fmt;

use dx_model::InputError;
use serde_json::{Value, json};

/// What a failed call answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub kind: ErrorKind,
    /// Never quotes what a request's members hold beyond ids and addresses.
    pub message: String,
}

/// Which error it is. Direct Connect has no "not found": that is a
/// `DirectConnectClientException` like everything else that prose forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Client,
    Server,
    DuplicateTagKeys,
    TooManyTags,
    LimitExceeded,
    Throttling,
    Validation,
    Serialization,
    UnknownOperation,
    AccessDenied,
    MissingAuthentication,
    IncompleteSignature,
    InvalidSignature,
    UnrecognizedClient,
}

impl ErrorKind {
    /// The error's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "DirectConnectClientException",
            Self::Server => "DirectConnectServerException",
            Self::DuplicateTagKeys => "DuplicateTagKeysException",
            Self::TooManyTags => "TooManyTagsException",
            Self::LimitExceeded => "LimitExceededException",
            Self::Throttling => "ThrottlingException",
            Self::Validation => "ValidationException",
            Self::Serialization => "SerializationException",
            Self::AccessDenied => "AccessDeniedException",
            Self::UnknownOperation => "UnknownOperationException",
            Self::MissingAuthentication => "MissingAuthenticationTokenException",
            Self::IncompleteSignature => "IncompleteSignatureException",
            Self::InvalidSignature => "InvalidSignatureException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Server => 500,
            _ => 400,
        }
    }
}

impl ApiError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// A parameter that the shapes allow and the service doesn't.
    pub fn client(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Client, message)
    }

    pub fn serialization(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Serialization, message)
    }

    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::LimitExceeded, message)
    }

    pub fn body(&self) -> Value {
        json!({ "__type": self.kind.name(), "message": self.message })
    }
}

impl From<InputError> for ApiError {
    fn from(error: InputError) -> Self {
        let violations = match error {
            InputError::Type(message) => return Self::serialization(message),
            InputError::Violations(violations) => violations,
        };
        let count = violations.len();
        let errors = if count == 1 { "error" } else { "errors" };
        let text = violations.join("; ");
        Self::new(
            ErrorKind::Validation,
            format!("{count} validation {errors} detected: {text}"),
        )
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.message)
    }
}

impl std::error::Error for ApiError {}
