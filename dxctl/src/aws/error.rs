//! One clear message for each way that a call can fail: what, where, what to
//! do. Built from Display texts and codes only; an SDK error's Debug holds the
//! response, and with it keys.

use std::error::Error;

use aws_sdk_directconnect::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_directconnect::operation::RequestId;

/// What is known about the call's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// AWS said no; nothing changed.
    Refused,
    /// AWS asked to come back later; nothing changed.
    Throttled,
    /// The call never reached AWS, or AWS couldn't tell who asks.
    NotDone,
    /// It may have been done: a timeout, a broken connection, a server error.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not {what}: {cause}\n  {place}{request}\n  {advice}",
    request = request.as_ref().map(|id| format!(", request {id}")).unwrap_or_default())]
pub(crate) struct AwsError {
    pub(crate) outcome: Outcome,
    what: String,
    cause: String,
    place: String,
    request: Option<String>,
    advice: &'static str,
}

impl AwsError {
    /// `place` is the region and endpoint, for people.
    pub(super) fn new<E, R>(what: String, place: &str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + RequestId + Error + 'static,
        R: std::fmt::Debug,
        SdkError<E, R>: Error,
    {
        let (outcome, cause, advice) = match error {
            SdkError::ServiceError(service) => from_service(service.err()),
            SdkError::TimeoutError(_) => (
                Outcome::Unknown,
                "no answer in time".to_owned(),
                ADVICE_NETWORK,
            ),
            SdkError::ResponseError(_) => (
                Outcome::Unknown,
                format!("the answer could not be read: {}", chain(error)),
                "Look whether an endpoint override or a proxy points at something else than Direct Connect.",
            ),
            SdkError::DispatchFailure(failure) => {
                let text = chain(error);
                let outcome = if failure.is_timeout() || broken_after_connecting(&text) {
                    Outcome::Unknown
                } else {
                    Outcome::NotDone
                };
                let (cause, advice) = from_dispatch(&text);
                (outcome, cause, advice)
            }
            _ => (
                Outcome::NotDone,
                format!("the request could not be made: {}", chain(error)),
                "Check the region, the endpoint and the credentials.",
            ),
        };
        let request = match error {
            SdkError::ServiceError(service) => service.err().request_id().map(str::to_owned),
            _ => None,
        };
        Self {
            outcome,
            what,
            cause,
            place: place.to_owned(),
            request,
            advice,
        }
    }

    /// Why, without where and what to do.
    pub(crate) fn cause(&self) -> &str {
        &self.cause
    }

    /// An answer without what it must have.
    pub(super) fn incomplete(what: String, place: &str, missing: &str) -> Self {
        Self {
            outcome: Outcome::Unknown,
            what,
            cause: format!("the answer has no {missing}"),
            place: place.to_owned(),
            request: None,
            advice: "Look at what is there: dxctl vif list",
        }
    }
}

#[cfg(test)]
impl AwsError {
    /// For tests of what follows an outcome.
    pub(crate) fn with_outcome(outcome: Outcome) -> Self {
        Self {
            outcome,
            what: "do it".into(),
            cause: "scripted".into(),
            place: "nowhere".into(),
            request: None,
            advice: "none",
        }
    }
}

fn from_service<E: ProvideErrorMetadata>(error: &E) -> (Outcome, String, &'static str) {
    let code = error.code().unwrap_or("error without a code");
    let message = error.message().unwrap_or("no message");
    let cause = format!("{message} ({code})");
    let (outcome, advice) = match code {
        "DirectConnectClientException" => (
            Outcome::Refused,
            "AWS refused the request as it is: change what the message names.",
        ),
        "LimitExceededException" => (
            Outcome::Refused,
            "A quota is used up: delete what is not needed, or ask for more in Service Quotas.",
        ),
        "DuplicateTagKeysException" | "TooManyTagsException" => (
            Outcome::Refused,
            "Give each tag key once, and 50 tags at most.",
        ),
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => (
            Outcome::Refused,
            "The credentials are good but not allowed to do this: add the action to their policy (dxctl iam-policy writes one).",
        ),
        "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound" => (
            Outcome::Refused,
            "There is no such secret: check its name, --region and --profile.",
        ),
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => (
            Outcome::Throttled,
            "AWS is limiting the rate of calls: wait a minute and try again.",
        ),
        "ExpiredTokenException" | "ExpiredToken" => (
            Outcome::NotDone,
            "The session has ended: sign in again (aws sso login).",
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => (
            Outcome::NotDone,
            "AWS doesn't accept these credentials: check --profile, --region, the AWS_* variables and the clock.",
        ),
        "UnknownOperationException" => (
            Outcome::Refused,
            "The endpoint doesn't offer this call: check the endpoint override.",
        ),
        _ => (
            Outcome::Unknown,
            "It may have been done: look before trying again (dxctl vif list).",
        ),
    };
    (outcome, cause, advice)
}

const ADVICE_NETWORK: &str =
    "Check the network, the proxy and the region; then look before trying again (dxctl vif list).";

fn from_dispatch(chain: &str) -> (String, &'static str) {
    let lower = chain.to_lowercase();
    if lower.contains("credential")
        || lower.contains("identity")
        || lower.contains("token provider")
    {
        // The SDK's own words there are a list of its providers.
        let cause = if chain.contains("no credentials found in chain") {
            "there are no AWS credentials: none in the environment, the shared files, or from this machine's role".to_owned()
        } else if chain.contains("provider was not enabled") {
            "no usable AWS credentials: the profile is not there, or it has none (aws configure list-profiles)".to_owned()
        } else {
            format!("no usable AWS credentials: {chain}")
        };
        return (
            cause,
            "Sign in (aws sso login), choose one with --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        );
    }
    if lower.contains("connection refused") {
        return (
            "connection refused: nothing listens at the endpoint".to_owned(),
            "Check --endpoint-url and AWS_ENDPOINT_URL_DIRECT_CONNECT; is the simulated AWS running?",
        );
    }
    if lower.contains("dns") || lower.contains("lookup") {
        return (
            format!("the endpoint's name can't be resolved: {chain}"),
            "Check the spelling of the region, and this machine's DNS.",
        );
    }
    if lower.contains("certificate") || lower.contains("tls") {
        return (
            format!("the endpoint's certificate is not trusted: {chain}"),
            "Check the clock, the proxy and the system's certificates (Debian: ca-certificates).",
        );
    }
    (chain.to_owned(), ADVICE_NETWORK)
}

/// A connection that closed instead of answering says nothing about the effect.
fn broken_after_connecting(chain: &str) -> bool {
    let lower = chain.to_lowercase();
    ["incomplete", "reset", "broken pipe", "closed before"]
        .iter()
        .any(|sign| lower.contains(sign))
}

/// Names of the SDK's own layers, which tell an operator nothing.
const LAYERS: [&str; 5] = [
    "dispatch failure",
    "other",
    "io error",
    "service error",
    "client error (Connect)",
];

/// The Display texts of an error and its sources, each once.
fn chain(error: &dyn Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let is_layer = LAYERS.contains(&text.as_str());
        if !is_layer && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}
