//! Any operation of the service model, by its name: JSON in, JSON out.
//!
//! The SDK has a type for each operation and no way past them. So one of its
//! calls is borrowed: signing, endpoint, retries and errors are the SDK's, the
//! operation's name and the body are put in before it signs.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::retry::RetryConfig;
use aws_sdk_directconnect::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_directconnect::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_directconnect::error::BoxError;
use aws_types::SigningName;
use serde_json::Value;

use super::{AwsError, Client};

impl Client {
    /// Calls an operation, once if it changes anything: there is no client token.
    /// The answer may hold keys in clear.
    pub(crate) async fn any(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        let how = match is_read_only(operation) {
            true => Builder::new(),
            false => Builder::new().retry_config(RetryConfig::disabled()),
        };
        let foreign = Foreign {
            target: format!("{SERVICE}.{operation}"),
            signed_for: None,
            what: format!("call {operation}"),
            place: self.place.clone(),
        };
        self.foreign(foreign, input, how).await
    }

    /// Makes a call that the SDK has no type for.
    pub(super) async fn foreign(
        &self,
        call: Foreign,
        input: &Value,
        how: Builder,
    ) -> Result<Value, AwsError> {
        let answer = Arc::new(Mutex::new(None));
        let instead = Instead {
            target: call.target,
            signed_for: call.signed_for,
            body: input.to_string(),
            answer: answer.clone(),
        };
        let borrowed = self.sdk.describe_connections().customize();
        let borrowed = borrowed.interceptor(instead).config_override(how);
        let outcome = borrowed.send().await;
        // An answer is as another operation's: whether it can be read as the
        // borrowed one's says nothing.
        let taken = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (taken, outcome) {
            (Some(answer), _) => Ok(answer),
            (None, Err(error)) => Err(AwsError::new(call.what, &call.place, &error)),
            (None, Ok(_)) => Err(AwsError::incomplete(call.what, &call.place, "JSON")),
        }
    }
}

/// A call that is made in the place of one that the SDK knows.
pub(super) struct Foreign {
    /// `X-Amz-Target`.
    pub(super) target: String,
    /// The service's name in the signature, if not Direct Connect's.
    pub(super) signed_for: Option<&'static str>,
    /// For messages: as in "could not …", and where.
    pub(super) what: String,
    pub(super) place: String,
}

/// Whether an operation changes nothing, by its name.
pub(crate) fn is_read_only(operation: &str) -> bool {
    ["Describe", "List", "Get"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

/// Puts another operation in the place of the one that the SDK has made.
struct Instead {
    target: String,
    signed_for: Option<&'static str>,
    /// May hold a key.
    body: String,
    answer: Arc<Mutex<Option<Value>>>,
}

impl std::fmt::Debug for Instead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Instead({})", self.target)
    }
}

impl Intercept for Instead {
    fn name(&self) -> &'static str {
        "Instead"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(service) = self.signed_for {
            let state = config.interceptor_state();
            state.store_put(SigningName::from_static(service));
        }
        let request = context.request_mut();
        request
            .headers_mut()
            .insert("x-amz-target", self.target.clone());
        request
            .headers_mut()
            .insert("content-length", self.body.len().to_string());
        *request.body_mut() = self.body.clone().into();
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if response.status().is_success() {
            let body = response.body().bytes().unwrap_or_default();
            let answer = serde_json::from_slice(body).ok();
            *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        }
        Ok(())
    }
}

/// The service's name in `X-Amz-Target`.
const SERVICE: &str = "OvertureService";
