//! Who signed a request: AWS Signature Version 4, checked as the service does.

use std::fmt::Write;
use std::time::Duration;

use axum::http::{HeaderMap, Method, Uri};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::error::{ApiError, ErrorKind};
use super::simulator::{Caller, OWNER, PARTNER};

/// Credentials that the lab takes. They open nothing but this simulator, so
/// they stand here for everyone to use.
pub struct Credentials {
    pub access_key_id: &'static str,
    pub secret_access_key: &'static str,
    pub account: &'static str,
}

/// The first account owns the connections. The second is there to own what the
/// first allocates to it, and is a Direct Connect Partner: it has interconnects,
/// and allocates hosted connections to the first.
pub const CREDENTIALS: [Credentials; 2] = [
    Credentials {
        access_key_id: "AKIALABLABLABLABLAB1",
        secret_access_key: "lab/of/no/worth/lab/of/no/worth/lab/0001",
        account: OWNER,
    },
    Credentials {
        access_key_id: "AKIALABLABLABLABLAB2",
        secret_access_key: "lab/of/no/worth/lab/of/no/worth/lab/0002",
        account: PARTNER,
    },
];

/// Who signed the request and for which of `regions`, or why it can't be told.
pub fn caller(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    regions: &[String],
    wall_clock: Duration,
) -> Result<Caller, ApiError> {
    let Some(header) = headers.get("authorization") else {
        return refuse(
            ErrorKind::MissingAuthentication,
            "Missing Authentication Token",
        );
    };
    let Some(claim) = header.to_str().ok().and_then(Claim::parse) else {
        let text = "The Authorization header must be AWS4-HMAC-SHA256 with Credential, \
                    SignedHeaders and Signature.";
        return refuse(ErrorKind::IncompleteSignature, text);
    };
    let known = CREDENTIALS
        .iter()
        .find(|known| known.access_key_id == claim.access_key_id);
    let Some(known) = known else {
        let text = "The security token included in the request is invalid.";
        return refuse(ErrorKind::UnrecognizedClient, text);
    };
    if claim.service != "directconnect" {
        let text = "Credential should be scoped to correct service: 'directconnect'.";
        return refuse(ErrorKind::InvalidSignature, text);
    }
    if !regions.iter().any(|region| region == claim.region) {
        let regions = regions.join("' or '");
        let text = format!("Credential should be scoped to a valid Region, here '{regions}'.");
        return refuse(ErrorKind::InvalidSignature, text);
    }
    let date = headers
        .get("x-amz-date")
        .and_then(|date| date.to_str().ok())
        .unwrap_or_default();
    check_date(date, claim.day, wall_clock)?;
    let Some(canonical) = canonical_request(method, uri, headers, body, claim.signed_headers)
    else {
        let text = "A signed header is missing, or host is not signed.";
        return refuse(ErrorKind::InvalidSignature, text);
    };
    let scope = format!(
        "{}/{}/{}/aws4_request",
        claim.day, claim.region, claim.service
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hex(&Sha256::digest(canonical))
    );
    let signature = hex(&sign(
        &signing_key(known.secret_access_key, &claim),
        &to_sign,
    ));
    if signature != claim.signature {
        let text = "The request signature we calculated does not match the signature you \
                    provided. Check your AWS Secret Access Key and signing method.";
        return refuse(ErrorKind::InvalidSignature, text);
    }
    Ok(Caller {
        account: known.account.to_owned(),
        region: claim.region.to_owned(),
    })
}

/// What an Authorization header says.
struct Claim<'a> {
    access_key_id: &'a str,
    day: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let fields = header.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            fields
                .split(',')
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let mut scope = field("Credential")?.split('/');
        let (access_key_id, day) = (scope.next()?, scope.next()?);
        let (region, service) = (scope.next()?, scope.next()?);
        if scope.next() != Some("aws4_request") {
            return None;
        }
        let (signed_headers, signature) = (field("SignedHeaders")?, field("Signature")?);
        Some(Self {
            access_key_id,
            day,
            region,
            service,
            signed_headers,
            signature,
        })
    }
}

fn canonical_request(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    signed: &str,
) -> Option<String> {
    if !signed.split(';').any(|name| name == "host") {
        return None;
    }
    // Nothing in this API has a query or a path that needs encoding.
    let mut text = format!(
        "{method}\n{}\n{}\n",
        uri.path(),
        uri.query().unwrap_or_default()
    );
    for name in signed.split(';') {
        let values = headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().map(squeeze));
        let values: Vec<String> = values.collect::<Result<_, _>>().ok()?;
        if values.is_empty() {
            return None;
        }
        let _ = writeln!(text, "{name}:{}", values.join(","));
    }
    let _ = write!(text, "\n{signed}\n{}", hex(&Sha256::digest(body)));
    Some(text)
}

/// Trimmed, with runs of spaces made one.
fn squeeze(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn signing_key(secret: &str, claim: &Claim<'_>) -> Vec<u8> {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [claim.day, claim.region, claim.service, "aws4_request"] {
        key = sign(&key, part);
    }
    key
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).expect("invariant: HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A signature holds for five minutes around its date.
fn check_date(date: &str, day: &str, wall_clock: Duration) -> Result<(), ApiError> {
    let Some(signed) = parse_date(date).filter(|_| date.starts_with(day)) else {
        let text = "X-Amz-Date is missing or not of the form 20261123T125033Z, or not of the \
                    credential's day.";
        return refuse(ErrorKind::IncompleteSignature, text);
    };
    if signed.abs_diff(wall_clock.as_secs()) > 300 {
        let text = format!("Signature expired: {date} is more than five minutes away from now.");
        return refuse(ErrorKind::InvalidSignature, text);
    }
    Ok(())
}

/// `20261123T125033Z` as seconds since the Unix epoch.
fn parse_date(text: &str) -> Option<u64> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    let number = |text: &str, range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    if day.len() != 8 || time.len() != 6 {
        return None;
    }
    let (year, month, day) = (number(day, 0..4)?, number(day, 4..6)?, number(day, 6..8)?);
    let (hour, minute, second) = (
        number(time, 0..2)?,
        number(time, 2..4)?,
        number(time, 4..6)?,
    );
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since the epoch, with the year counted from March so that the leap
    // day comes last.
    let (years, months) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * years + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day;
    Some((days - 719_469) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refuse<T>(kind: ErrorKind, text: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::new(kind, text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::HeaderValue;

    use super::*;

    // Signed by botocore 1.43.62 for the first credentials.
    const DATE: &str = "20261123T130000Z";
    const SIGNATURE: &str = "6103088f6bd68f23e7dbb8ec71193aedb28ef0a34a93ba016e0c010631d6ea51";

    fn headers(access_key_id: &str, signature: &str) -> HeaderMap {
        let signed = "content-type;host;x-amz-date;x-amz-target";
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={access_key_id}/20261123/eu-central-1/directconnect/\
             aws4_request, SignedHeaders={signed}, Signature={signature}"
        );
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: &str| {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        };
        put("host", "127.0.0.1:4566");
        put("content-type", "application/x-amz-json-1.1");
        put("x-amz-date", DATE);
        put("x-amz-target", "OvertureService.DescribeConnections");
        put("authorization", &authorization);
        headers
    }

    fn check(
        headers: &HeaderMap,
        body: &str,
        region: &str,
        late: u64,
    ) -> Result<String, ErrorKind> {
        let now = Duration::from_secs(parse_date(DATE).unwrap() + late);
        let uri = Uri::from_static("/");
        let regions = [region.to_owned()];
        caller(&Method::POST, &uri, headers, body.as_bytes(), &regions, now)
            .map(|caller| caller.account)
            .map_err(|error| error.kind)
    }

    #[test]
    fn a_signature_by_foreign_software_is_accepted() {
        let headers = headers(CREDENTIALS[0].access_key_id, SIGNATURE);
        assert_eq!(
            check(&headers, "{}", "eu-central-1", 10),
            Ok(OWNER.to_owned())
        );
    }

    #[test]
    fn whatever_differs_from_what_was_signed_is_refused() {
        let right = headers(CREDENTIALS[0].access_key_id, SIGNATURE);
        let wrong = Err(ErrorKind::InvalidSignature);
        assert_eq!(check(&right, "{\"a\":1}", "eu-central-1", 0), wrong);
        assert_eq!(check(&right, "{}", "us-east-1", 0), wrong);
        assert_eq!(check(&right, "{}", "eu-central-1", 301), wrong);
        let other = headers(CREDENTIALS[1].access_key_id, SIGNATURE);
        assert_eq!(check(&other, "{}", "eu-central-1", 0), wrong);
        let stranger = headers("AKIASTRANGER", SIGNATURE);
        assert_eq!(
            check(&stranger, "{}", "eu-central-1", 0),
            Err(ErrorKind::UnrecognizedClient)
        );
    }

    #[test]
    fn no_or_half_a_signature_has_its_own_error() {
        let missing = Err(ErrorKind::MissingAuthentication);
        assert_eq!(check(&HeaderMap::new(), "{}", "eu-central-1", 0), missing);
        let mut headers = headers(CREDENTIALS[0].access_key_id, SIGNATURE);
        headers.insert(
            "authorization",
            HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=a"),
        );
        assert_eq!(
            check(&headers, "{}", "eu-central-1", 0),
            Err(ErrorKind::IncompleteSignature)
        );
    }

    #[test]
    fn dates_are_seconds_since_the_epoch() {
        assert_eq!(parse_date("19700101T000000Z"), Some(0));
        assert_eq!(parse_date("20240229T120000Z"), Some(1_709_208_000));
        assert_eq!(parse_date("20261123T125033Z"), Some(1_795_438_233));
        assert_eq!(parse_date("20261323T125033Z"), None);
        assert_eq!(parse_date("garbage"), None);
    }
}
