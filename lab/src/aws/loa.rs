//! The Letter of Authorization and Connecting Facility Assignment, which a
//! colocation facility wants before it patches a port: `DescribeLoa` and its two
//! older siblings.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::{Phase, Role};
use super::error::ApiError;
use super::simulator::{Account, Simulator};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeLoa {
    #[serde(alias = "interconnectId")]
    connection_id: String,
    provider_name: Option<String>,
}

impl Simulator {
    /// Of a dedicated connection, an interconnect or a LAG.
    pub(super) fn describe_loa(
        &mut self,
        caller: &Account,
        request: &DescribeLoa,
    ) -> Result<Value, ApiError> {
        let id = &request.connection_id;
        let (location, device, phase) = if id.starts_with("dxlag-") {
            let lag = &self.lags[self.lag_index(caller, id)?];
            (lag.location.clone(), lag.device(), lag.phase)
        } else {
            let at = self.port_index(caller, id)?;
            let now = self.now;
            let port = &mut self.connections[at];
            if let Role::Hosted { .. } = port.role {
                let text = format!("{id} is a hosted connection: its partner has the LOA-CFA.");
                return Err(ApiError::client(text));
            }
            if !matches!(port.phase, Phase::Requested { .. }) {
                port.loa_issued = Some(now);
            }
            (port.location.clone(), port.device(), port.phase)
        };
        if matches!(phase, Phase::Requested { .. }) {
            let text = format!("The LOA-CFA of {id} is not available yet: it is requested.");
            return Err(ApiError::client(text));
        }
        let provider = request.provider_name.as_deref().unwrap_or("none");
        let document = pdf(&[
            "Letter of Authorization and Connecting Facility Assignment".into(),
            "Simulated by the lab: it authorizes nobody to connect anything.".into(),
            format!("Issued to: {caller}"),
            format!("Connection: {id}"),
            format!("Location: {location}"),
            format!("Device: {device}"),
            format!("Provider: {provider}"),
        ]);
        Ok(json!({
            "loaContent": base64(document.as_bytes()),
            "loaContentType": "application/pdf",
        }))
    }
}

/// One page with these lines (ISO 32000-1 §7.5: header, objects, table of their
/// offsets, trailer).
fn pdf(lines: &[String]) -> String {
    let mut page = String::from("BT /F1 12 Tf 16 TL 56 780 Td\n");
    for line in lines {
        let escaped: String = line
            .chars()
            .map(|c| match c {
                '(' | ')' | '\\' => format!("\\{c}"),
                ' '..='~' => c.to_string(),
                _ => "?".into(),
            })
            .collect();
        let _ = writeln!(page, "({escaped}) Tj T*");
    }
    page.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{page}\nendstream", page.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut text = String::from("%PDF-1.4\n");
    let mut offsets = vec![];
    for (index, object) in objects.iter().enumerate() {
        offsets.push(text.len());
        let _ = write!(text, "{} 0 obj\n{object}\nendobj\n", index + 1);
    }
    let table = text.len();
    let count = objects.len() + 1;
    let _ = write!(text, "xref\n0 {count}\n0000000000 65535 f \n");
    for offset in offsets {
        let _ = writeln!(text, "{offset:010} 00000 n ");
    }
    let _ = write!(
        text,
        "trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"
    );
    text
}

/// RFC 4648 §4: as JSON carries a blob.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let octet = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for at in 0..4 {
            if at <= group.len() {
                let index = bits >> (18 - 6 * at) & 0x3f;
                text.push(char::from(ALPHABET[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_what_is_not_a_multiple_of_three() {
        // RFC 4648 §10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_pdf_s_table_has_the_offsets_of_its_objects() {
        let text = pdf(&["a (b)".into()]);
        assert!(text.contains("(a \\(b\\)) Tj"));
        let table = text.find("xref\n").unwrap_or_default();
        let rows = text[table..].lines().skip(3).take(5);
        for (index, row) in rows.enumerate() {
            let offset: usize = row[..10].parse().unwrap_or_default();
            let object = format!("{} 0 obj\n", index + 1);
            assert!(text[offset..].starts_with(&object), "{row}");
        }
        assert!(text.contains(&format!("startxref\n{table}\n")));
    }
}
