//! Mutations of good UPDATEs: octets, lengths, flags and types of their attributes,
//! with every outer length made right again.

use crate::bytes::{EXTENDED_LENGTH, UPDATE, length_of, message, segment};
use crate::dice::Dice;
use crate::row::Session;

/// One attribute as it stands in an UPDATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub flags: u8,
    pub code: u8,
    pub value: Vec<u8>,
}

/// An UPDATE in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parted {
    pub withdrawn: Vec<u8>,
    pub attributes: Vec<Attribute>,
    /// What follows the last whole attribute.
    pub rest: Vec<u8>,
    pub nlri: Vec<u8>,
}

impl Parted {
    /// Reads a whole UPDATE whose sections fit.
    pub fn of(update: &[u8]) -> Option<Self> {
        let body = update.get(19..)?;
        let (withdrawn, body) = section(body)?;
        let (mut left, nlri) = section(body)?;
        let mut attributes = vec![];
        while let Some((attribute, after)) = attribute(left) {
            attributes.push(attribute);
            left = after;
        }
        Some(Self {
            withdrawn: withdrawn.to_vec(),
            attributes,
            rest: left.to_vec(),
            nlri: nlri.to_vec(),
        })
    }

    pub fn message(&self) -> Vec<u8> {
        let mut attributes: Vec<u8> = self
            .attributes
            .iter()
            .flat_map(|it| match u8::try_from(it.value.len()) {
                Ok(length) if it.flags & EXTENDED_LENGTH == 0 => {
                    [&[it.flags, it.code, length], it.value.as_slice()].concat()
                }
                _ => crate::bytes::long_attribute(it.flags, it.code, &it.value),
            })
            .collect();
        attributes.extend(&self.rest);
        let body = [
            &length_of(self.withdrawn.len())[..],
            &self.withdrawn,
            &length_of(attributes.len()),
            &attributes,
            &self.nlri,
        ];
        message(UPDATE, &body.concat())
    }

    pub fn value_of(&self, code: u8) -> Option<&[u8]> {
        let attribute = self.attributes.iter().find(|it| it.code == code)?;
        Some(&attribute.value)
    }

    /// Replaces the value where there is one.
    pub fn set(&mut self, code: u8, value: &[u8]) {
        for attribute in self.attributes.iter_mut().filter(|it| it.code == code) {
            attribute.value = value.to_vec();
        }
    }
}

/// Changes one thing; says what.
pub fn mutate(update: &mut Parted, dice: &mut Dice) -> &'static str {
    let which = dice.below(update.attributes.len());
    let kind = dice.below(14);
    if kind >= 12 {
        // An attribute that was not there.
        let value = (0..dice.below(24)).map(|_| dice.octet()).collect();
        let flags = [0xc0, 0x80, 0x40, 0xe0, 0xd0, 0x00][dice.below(6)];
        let code = if dice.below(2) == 0 {
            dice.octet()
        } else {
            dice.octet() % 41
        };
        let place = dice.below(update.attributes.len() + 1);
        update
            .attributes
            .insert(place, Attribute { flags, code, value });
        return "one more attribute";
    }
    let again = update.attributes.get(which).cloned();
    let (Some(it), Some(mut again)) = (update.attributes.get_mut(which), again) else {
        return "nothing";
    };
    match kind {
        0 | 1 => {
            let place = dice.below(it.value.len());
            let flip = 1 << dice.below(8);
            if let Some(octet) = it.value.get_mut(place) {
                *octet ^= flip;
            }
            "a bit of a value"
        }
        2 => {
            it.flags ^= [0x80, 0x40, 0x20, 0xc0, 0x0f, 0x10][dice.below(6)];
            "flags"
        }
        3 => {
            it.code = dice.octet() % 42;
            "a type"
        }
        4 => {
            it.value.truncate(dice.below(it.value.len() + 1));
            "a value cut short"
        }
        5 => {
            let more = 1 + dice.below(12);
            it.value.extend((0..more).map(|_| dice.octet()));
            "a value made longer"
        }
        6 => {
            update.attributes.remove(which);
            "an attribute left out"
        }
        7 => {
            if dice.below(2) == 0 {
                again.value.reverse();
            }
            let place = dice.below(update.attributes.len() + 1);
            update.attributes.insert(place, again);
            "an attribute twice"
        }
        8 => {
            let left = 1 + dice.below(5);
            update.rest = (0..left).map(|_| dice.octet()).collect();
            "octets after the attributes"
        }
        9 => {
            update.attributes.reverse();
            "another order"
        }
        _ => {
            let path = as_path(update.value_of(2).unwrap_or_default(), dice);
            update.set(2, &path);
            "AS_PATH"
        }
    }
}

/// Segments cut, doubled, of other types, with other counts and ASNs.
fn as_path(path: &[u8], dice: &mut Dice) -> Vec<u8> {
    let session = Session::External;
    let mut path = path.to_vec();
    let asns: [u32; 6] = [0, 23_456, 65_010, 64_512, 174, u32::MAX];
    let asn = asns[dice.below(asns.len())];
    let kind = dice.octet() % 6;
    match dice.below(8) {
        0 => path.extend(segment(session, kind, &[asn, 174])),
        1 => path
            .splice(0..0, segment(session, kind, &[asn]))
            .for_each(drop),
        2 => path.extend([kind, 0]),
        3 => path.extend([kind, 3, 0, 0]),
        4 => path.clear(),
        5 => path = segment(session, 2, &[174; 255]).repeat(1 + dice.below(3)),
        6 => {
            if let Some(octet) = path.first_mut() {
                *octet = kind;
            }
        }
        _ => {
            if let Some(octet) = path.get_mut(1) {
                *octet = dice.octet() % 8;
            }
        }
    }
    path
}

fn section(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

fn attribute(octets: &[u8]) -> Option<(Attribute, &[u8])> {
    let (&[flags, code], rest) = octets.split_first_chunk()?;
    let (length, rest) = if flags & EXTENDED_LENGTH == 0 {
        let (&[length], rest) = rest.split_first_chunk()?;
        (usize::from(length), rest)
    } else {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        (usize::from(u16::from_be_bytes(*length)), rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    let value = value.to_vec();
    Some((Attribute { flags, code, value }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_the_same_in_parts_and_together_again() -> std::io::Result<()> {
        let table = crate::table()?;
        assert_eq!(table.len(), 89_679);
        for update in table.iter().take(2000) {
            let parted = Parted::of(update);
            assert_eq!(parted.as_ref().map(Parted::message).as_ref(), Some(update));
        }
        Ok(())
    }
}
