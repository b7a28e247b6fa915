//! Smithy RPC v2 CBOR, which newer SDKs speak where the model offers it: the
//! same values as in JSON, written as CBOR (RFC 8949).

use serde_json::{Map, Number, Value};

use super::model::MODEL;

/// A request's body. Byte strings have no place in Direct Connect's requests.
pub fn decode(bytes: &[u8]) -> Result<Value, &'static str> {
    let mut input = Input { bytes, at: 0 };
    let value = input.value(0)?;
    if input.at == bytes.len() {
        Ok(value)
    } else {
        Err("bytes after the value")
    }
}

/// An answer of an operation: points in time are tagged as such.
pub fn encode(operation: &str, value: &Value) -> Vec<u8> {
    let mut out = vec![];
    write(operation, value, &mut vec![], &mut out);
    out
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Deeper than any shape of the model.
const MAX_DEPTH: usize = 32;
const INDEFINITE: u8 = 31;

impl Input<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, &'static str> {
        if depth > MAX_DEPTH {
            return Err("nested too deep");
        }
        let first = self.byte()?;
        let (major, minor) = (first >> 5, first & 0x1f);
        match major {
            0 => Ok(Value::from(self.argument(minor)?)),
            1 => {
                let number =
                    i64::try_from(self.argument(minor)?).map_err(|_| "number too small")?;
                Ok(Value::from(-1 - number))
            }
            2 => Err("a byte string"),
            3 => self.text(minor).map(Value::String),
            4 => self.array(minor, depth),
            5 => self.map(minor, depth),
            6 => {
                self.argument(minor)?;
                self.value(depth + 1)
            }
            _ => self.simple(minor),
        }
    }

    fn text(&mut self, minor: u8) -> Result<String, &'static str> {
        if minor != INDEFINITE {
            let length = usize::try_from(self.argument(minor)?).map_err(|_| "a text too long")?;
            let bytes = self.take(length)?.to_vec();
            return String::from_utf8(bytes).map_err(|_| "a text that is not UTF-8");
        }
        let mut text = String::new();
        loop {
            match self.byte()? {
                0xff => return Ok(text),
                chunk if chunk >> 5 == 3 && chunk & 0x1f != INDEFINITE => {
                    text.push_str(&self.text(chunk & 0x1f)?);
                }
                _ => return Err("a text chunk that is no text"),
            }
        }
    }

    fn array(&mut self, minor: u8, depth: usize) -> Result<Value, &'static str> {
        let mut left = self.length(minor)?;
        let mut items = vec![];
        while self.more(&mut left)? {
            items.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, minor: u8, depth: usize) -> Result<Value, &'static str> {
        let mut left = self.length(minor)?;
        let mut members = Map::new();
        while self.more(&mut left)? {
            let Value::String(name) = self.value(depth + 1)? else {
                return Err("a member name that is no text");
            };
            members.insert(name, self.value(depth + 1)?);
        }
        Ok(Value::Object(members))
    }

    /// `None`: until a break.
    fn length(&mut self, minor: u8) -> Result<Option<u64>, &'static str> {
        if minor == INDEFINITE {
            Ok(None)
        } else {
            self.argument(minor).map(Some)
        }
    }

    fn more(&mut self, left: &mut Option<u64>) -> Result<bool, &'static str> {
        match left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None if self.bytes.get(self.at) == Some(&0xff) => {
                self.at += 1;
                Ok(false)
            }
            None => Ok(true),
        }
    }

    fn simple(&mut self, minor: u8) -> Result<Value, &'static str> {
        let float = match minor {
            20 => return Ok(Value::Bool(false)),
            21 => return Ok(Value::Bool(true)),
            22 | 23 => return Ok(Value::Null),
            25 => half(self.argument(minor)?),
            26 => f64::from(f32::from_bits(self.argument(minor)? as u32)),
            27 => f64::from_bits(self.argument(minor)?),
            _ => return Err("an unknown simple value"),
        };
        Number::from_f64(float)
            .map(Value::Number)
            .ok_or("a number that is none")
    }

    fn argument(&mut self, minor: u8) -> Result<u64, &'static str> {
        let length = match minor {
            0..=23 => return Ok(u64::from(minor)),
            24..=27 => 1 << (minor - 24),
            _ => return Err("a reserved length"),
        };
        Ok(self
            .take(length)?
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, length: usize) -> Result<&[u8], &'static str> {
        let end = self.at.checked_add(length).ok_or("a length too long")?;
        let bytes = self.bytes.get(self.at..end).ok_or("the body ends early")?;
        self.at = end;
        Ok(bytes)
    }
}

/// An IEEE 754 binary16.
fn half(bits: u64) -> f64 {
    let (exponent, fraction) = (bits >> 10 & 0x1f, (bits & 0x3ff) as f64);
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent as i32 - 15),
    };
    if bits >> 15 & 1 == 1 { -size } else { size }
}

fn write<'a>(operation: &str, value: &'a Value, path: &mut Vec<&'a str>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Number(number) => {
            if MODEL.is_timestamp(operation, path) {
                out.push(0xc1);
            }
            write_number(number, out);
        }
        Value::String(text) => {
            head(3, text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len() as u64, out);
            path.push("member");
            items
                .iter()
                .for_each(|item| write(operation, item, path, out));
            path.pop();
        }
        Value::Object(members) => {
            head(5, members.len() as u64, out);
            for (name, member) in members {
                head(3, name.len() as u64, out);
                out.extend_from_slice(name.as_bytes());
                path.push(name);
                write(operation, member, path, out);
                path.pop();
            }
        }
    }
}

fn write_number(number: &Number, out: &mut Vec<u8>) {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(positive), _, _) => head(0, positive, out),
        (None, Some(negative), _) => head(1, negative.unsigned_abs() - 1, out),
        (None, None, float) => {
            out.push(0xfb);
            out.extend_from_slice(&float.unwrap_or_default().to_be_bytes());
        }
    }
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn check(hex: &str, expected: Value) {
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(decode(&bytes), Ok(expected), "{hex}");
    }

    #[test]
    fn the_examples_of_rfc_8949_are_read() {
        check("1903e8", json!(1000));
        check("3903e7", json!(-1000));
        check("f90001", json!(5.960_464_477_539_063e-8));
        check("f9c400", json!(-4.0));
        check("fa47c35000", json!(100_000.0));
        check("fb3ff199999999999a", json!(1.1));
        check("c11a514b67b0", json!(1_363_896_240));
        check("83010203", json!([1, 2, 3]));
        check("9f0102ff", json!([1, 2]));
        check("bf6161016162f5ff", json!({ "a": 1, "b": true }));
        check("7f657374726561646d696e67ff", json!("streaming"));
        check("f6", Value::Null);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "a": [0, 23, 24, 255, 256, 65535, 65536, 4_294_967_296_u64, -1, -500],
            "b": { "c": "text", "d": null, "e": false, "f": 1.5 },
        });
        assert_eq!(decode(&encode("DescribeConnections", &value)), Ok(value));
    }

    #[test]
    fn points_in_time_are_tagged() {
        let answer = json!({ "virtualInterfaceTest": { "startTime": 1 } });
        let bytes = encode("StartBgpFailoverTest", &answer);
        assert_eq!(&bytes[bytes.len() - 2..], [0xc1, 0x01]);
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let deep = vec![0x81; 10_000];
        for bytes in [
            &[][..],
            &[0x5f],
            &[0xff],
            &[0x1c],
            &[0x9b, 0xff],
            &[0x61],
            &[1, 1],
            &deep,
        ] {
            assert!(decode(bytes).is_err());
        }
        assert!(decode(&[0x7b, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
    }
}
