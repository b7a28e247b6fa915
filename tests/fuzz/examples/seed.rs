//! `seed DIR`: writes the corpora that the targets begin with, a folder each, from
//! what `tests/data` and the rules hold.

use std::fs;
use std::io;
use std::path::Path;

use hostile_inputs::{Dice, by_rule, captured, recorded, seeds};

fn main() -> io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: seed DIR"));
    };
    let directory = Path::new(&directory);
    let mut dice = Dice::new(1);
    let rows = recorded()?.into_iter().chain(dice.sample(by_rule(), 4000));
    let mut wire: Vec<Vec<u8>> = rows.map(|row| bgpd_fuzz::wire::seed(&row)).collect();
    let streams = captured()?.into_iter().map(|(_, stream)| stream);
    for octets in seeds()?.into_iter().chain(streams) {
        wire.push([&[dice.octet() | 0b100, 255], octets.as_slice()].concat());
    }
    write(directory, "wire", wire)?;

    let octets = |dice: &mut Dice| (0..400).map(|_| dice.octet()).collect();
    write(
        directory,
        "machine",
        (0..200).map(|_| octets(&mut dice)).collect(),
    )?;

    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bgpd/examples");
    let mut config = vec![];
    for entry in fs::read_dir(examples)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            config.push(fs::read(path)?);
        }
    }
    write(directory, "config", config)
}

fn write(directory: &Path, target: &str, inputs: Vec<Vec<u8>>) -> io::Result<()> {
    let directory = directory.join(target);
    fs::create_dir_all(&directory)?;
    for (number, input) in inputs.iter().enumerate() {
        fs::write(directory.join(format!("{number:05}")), input)?;
    }
    println!("{target}: {} inputs", inputs.len());
    Ok(())
}
