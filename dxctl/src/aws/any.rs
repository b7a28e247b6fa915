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
use serde_json::Value;

use super::{AwsError, Client};

impl Client {
    /// Calls an operation, once if it changes anything: there is no client token.
    /// The answer may hold keys in clear.
    pub(crate) async fn any(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        let answer = Arc::new(Mutex::new(None));
        let instead = Instead {
            operation: operation.to_owned(),
            body: input.to_string(),
            answer: answer.clone(),
        };
        let mut call = self
            .sdk
            .describe_connections()
            .customize()
            .interceptor(instead);
        if !is_read_only(operation) {
            call = call.config_override(Builder::new().retry_config(RetryConfig::disabled()));
        }
        let outcome = call.send().await;
        // An answer is as another operation's: whether it can be read as the
        // borrowed one's says nothing.
        let taken = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (taken, outcome) {
            (Some(answer), _) => Ok(answer),
            (None, Err(error)) => Err(self.error(format!("call {operation}"), &error)),
            (None, Ok(_)) => Err(AwsError::incomplete(
                format!("call {operation}"),
                &self.place,
                "JSON",
            )),
        }
    }
}

/// Whether an operation changes nothing, by its name.
pub(crate) fn is_read_only(operation: &str) -> bool {
    ["Describe", "List", "Get"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

/// Puts another operation in the place of the one that the SDK has made.
struct Instead {
    operation: String,
    /// May hold a key.
    body: String,
    answer: Arc<Mutex<Option<Value>>>,
}

impl std::fmt::Debug for Instead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Instead({})", self.operation)
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
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request
            .headers_mut()
            .insert("x-amz-target", format!("{SERVICE}.{}", self.operation));
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
