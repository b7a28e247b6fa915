//! Keys that AWS keeps: in Secrets Manager, or as a parameter of Systems Manager.

use std::fmt;

use aws_config::Region;
use aws_sdk_directconnect::config::Builder;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::any::Foreign;
use super::{AwsError, Client};
use crate::Refused;

/// Where a key is kept at AWS; never the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretAt {
    /// `secretsmanager:ID#MEMBER`; the identifier is a name or an ARN.
    SecretsManager {
        id: String,
        /// Of the JSON object that the secret is.
        member: Option<String>,
    },
    /// `ssm:/PATH`
    Parameter(String),
}

impl SecretAt {
    /// `service` is what stands before the colon. The text is never quoted.
    pub(crate) fn parse(service: &str, text: &str) -> Option<Self> {
        let (id, member) = match text.split_once('#') {
            Some((id, member)) => (id, Some(member)),
            None => (text, None),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "/_+=.@:-".contains(c);
        if id.is_empty() || !id.chars().all(fits) || member == Some("") {
            return None;
        }
        match (service, member) {
            ("secretsmanager", _) => Some(Self::SecretsManager {
                id: id.to_owned(),
                member: member.map(str::to_owned),
            }),
            ("ssm", None) => Some(Self::Parameter(id.to_owned())),
            _ => None,
        }
    }

    fn id(&self) -> &str {
        match self {
            Self::SecretsManager { id, .. } | Self::Parameter(id) => id,
        }
    }

    /// The Region that an ARN names: `arn:aws:ssm:REGION:…`.
    fn region(&self) -> Option<&str> {
        let mut parts = self.id().split(':');
        (parts.next() == Some("arn")).then(|| parts.nth(2))?
    }

    /// The key in what AWS answered as the secret.
    pub(crate) fn key_in(&self, secret: Zeroizing<String>) -> Result<Zeroizing<String>, Refused> {
        let Self::SecretsManager {
            member: Some(name), ..
        } = self
        else {
            return Ok(secret);
        };
        // serde_json's message could quote the text.
        let members: Value = serde_json::from_str(&secret).map_err(|_| {
            Refused::new(format!("{self}: the secret is no JSON: leave #{name} away"))
        })?;
        match members.get(name) {
            Some(Value::String(key)) => Ok(Zeroizing::new(key.clone())),
            _ => Err(Refused::new(format!(
                "{self}: the secret has no member {name:?} that is a text"
            ))),
        }
    }
}

impl fmt::Display for SecretAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecretsManager { id, member: None } => write!(f, "secretsmanager:{id}"),
            Self::SecretsManager {
                id,
                member: Some(member),
            } => write!(f, "secretsmanager:{id}#{member}"),
            Self::Parameter(path) => write!(f, "ssm:{path}"),
        }
    }
}

impl Client {
    /// The text of a secret, decrypted.
    pub(super) async fn secret_text(&self, at: &SecretAt) -> Result<Zeroizing<String>, AwsError> {
        let service = Service::of(at);
        let region = at.region().unwrap_or(&self.region);
        let url = service.endpoint(region);
        let what = format!("read {at}");
        let place = format!("{} in {region} at {url}", service.name);
        let input = match at {
            SecretAt::SecretsManager { id, .. } => json!({ "SecretId": id }),
            SecretAt::Parameter(name) => json!({ "Name": name, "WithDecryption": true }),
        };
        let call = Foreign {
            target: service.target.to_owned(),
            signed_for: Some(service.signed_for),
            what: what.clone(),
            place: place.clone(),
        };
        let how = Builder::new()
            .region(Region::new(region.to_owned()))
            .endpoint_url(url);
        let mut answer = self.foreign(call, &input, how).await?;
        match answer.pointer_mut(service.text).map(Value::take) {
            Some(Value::String(text)) => Ok(Zeroizing::new(text)),
            _ => Err(AwsError::incomplete(what, &place, "secret that is a text")),
        }
    }
}

struct Service {
    name: &'static str,
    signed_for: &'static str,
    target: &'static str,
    /// Where the text is in an answer.
    text: &'static str,
    endpoint: &'static str,
}

impl Service {
    const fn of(at: &SecretAt) -> Self {
        match at {
            SecretAt::SecretsManager { .. } => Self {
                name: "Secrets Manager",
                signed_for: "secretsmanager",
                target: "secretsmanager.GetSecretValue",
                text: "/SecretString",
                endpoint: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            },
            SecretAt::Parameter(_) => Self {
                name: "Systems Manager",
                signed_for: "ssm",
                target: "AmazonSSM.GetParameter",
                text: "/Parameter/Value",
                endpoint: "AWS_ENDPOINT_URL_SSM",
            },
        }
    }

    fn endpoint(&self, region: &str) -> String {
        let own = [self.endpoint, "AWS_ENDPOINT_URL"];
        let own = own.iter().find_map(|name| std::env::var(name).ok());
        own.filter(|url| !url.is_empty()).unwrap_or_else(|| {
            let china = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://{}.{region}.amazonaws.com{china}", self.signed_for)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_arn_says_the_region_and_a_hash_the_member() {
        let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:bgp-AbCdEf";
        let at = SecretAt::parse("secretsmanager", &format!("{arn}#md5")).unwrap();
        assert_eq!((at.id(), at.region()), (arn, Some("eu-west-1")));
        let secret = Zeroizing::new(r#"{"md5":"sesame-1"}"#.to_owned());
        assert_eq!(*at.key_in(secret).unwrap(), "sesame-1");
        let path = SecretAt::parse("ssm", "/dx/prod").unwrap();
        assert_eq!((path.id(), path.region()), ("/dx/prod", None));
    }

    #[test]
    fn a_secret_without_the_member_is_refused_and_not_quoted() {
        let at = SecretAt::parse("secretsmanager", "bgp#md5").unwrap();
        for secret in ["sesame-1", r#"{"other":"sesame-1"}"#, r#"{"md5":7}"#] {
            let error = at.key_in(Zeroizing::new(secret.to_owned())).unwrap_err();
            assert!(!error.to_string().contains("sesame"), "{error}");
        }
        for text in ["", "#a", "bgp#", "a b"] {
            assert_eq!(SecretAt::parse("secretsmanager", text), None, "{text}");
        }
    }
}
