//! As much of YANG (RFC 7950) as Juniper's configuration modules use: where a
//! word may stand, and what type it has.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::patterns;

/// Modules that belong together.
pub(crate) struct Schema {
    modules: Vec<Module>,
}

struct Module {
    name: String,
    prefix: String,
    /// Prefix → index of the module.
    imports: HashMap<String, usize>,
    groupings: HashMap<String, Part>,
    typedefs: HashMap<String, Part>,
    /// What it puts below `configuration`.
    top: Vec<Part>,
    raw_imports: Vec<(String, String)>,
}

/// A statement of YANG.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    keyword: String,
    argument: String,
    parts: Vec<Self>,
}

/// A place in the tree of configuration.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    module: usize,
    part: &'a Part,
}

/// A leaf's type, its aliases resolved.
#[derive(Clone, Copy)]
pub(crate) struct Type<'a> {
    schema: &'a Schema,
    module: usize,
    part: &'a Part,
}

impl Schema {
    /// Reads a folder of gzipped modules. Panics on what is no schema: it is
    /// part of the test.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut modules: Vec<Module> = std::fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(".yang.gz"))
            .map(|path| {
                let mut text = String::new();
                let file = std::fs::File::open(&path).unwrap();
                GzDecoder::new(file).read_to_string(&mut text).unwrap();
                module(parts(&text))
            })
            .collect();
        let names: HashMap<String, usize> = modules
            .iter()
            .enumerate()
            .map(|(index, module)| (module.name.clone(), index))
            .collect();
        for (index, module) in modules.iter_mut().enumerate() {
            module.imports = module
                .raw_imports
                .iter()
                .filter_map(|(prefix, name)| Some((prefix.clone(), *names.get(name)?)))
                .collect();
            module.imports.insert(module.prefix.clone(), index);
        }
        assert!(!modules.is_empty(), "no modules in {}", folder.display());
        Self { modules }
    }

    /// What stands at the top of a configuration under this name.
    pub(crate) fn top(&self, name: &str) -> Option<Place<'_>> {
        self.modules
            .iter()
            .enumerate()
            .find_map(|(module, found)| self.find(module, &found.top, name))
    }

    pub(crate) fn child<'a>(&'a self, place: Place<'a>, name: &str) -> Option<Place<'a>> {
        self.find(place.module, &place.part.parts, name)
    }

    /// The names that may stand here, for messages.
    fn find<'a>(&'a self, module: usize, parts: &'a [Part], name: &str) -> Option<Place<'a>> {
        parts.iter().find_map(|part| match part.keyword.as_str() {
            "container" | "list" | "leaf" | "leaf-list" if part.argument == name => {
                Some(Place { module, part })
            }
            "choice" | "case" => self.find(module, &part.parts, name),
            "uses" => {
                let (module, grouping) = self.resolve(module, &part.argument, |m| &m.groupings)?;
                self.find(module, &grouping.parts, name)
            }
            _ => None,
        })
    }

    fn resolve<'a>(
        &'a self,
        module: usize,
        name: &str,
        of: impl Fn(&'a Module) -> &'a HashMap<String, Part>,
    ) -> Option<(usize, &'a Part)> {
        let (module, name) = match name.split_once(':') {
            Some((prefix, name)) => (*self.modules[module].imports.get(prefix)?, name),
            None => (module, name),
        };
        Some((module, of(&self.modules[module]).get(name)?))
    }

    pub(crate) fn type_of<'a>(&'a self, place: Place<'a>) -> Type<'a> {
        let part = place.part.part("type").expect("a leaf has a type");
        Type {
            schema: self,
            module: place.module,
            part,
        }
    }
}

impl Place<'_> {
    pub(crate) fn keyword(&self) -> &str {
        &self.part.keyword
    }

    pub(crate) fn name(&self) -> &str {
        &self.part.argument
    }

    pub(crate) fn keys(&self) -> Vec<&str> {
        self.part
            .part("key")
            .map_or(Vec::new(), |key| key.argument.split_whitespace().collect())
    }
}

impl Type<'_> {
    /// The type's own name, or its typedef's: `uint32`, `jt:ipprefix`.
    pub(crate) fn name(&self) -> &str {
        &self.part.argument
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.name() == "empty"
    }

    pub(crate) fn takes(&self, value: &str) -> bool {
        let part = self.part;
        match part.argument.as_str() {
            "union" => part
                .all("type")
                .any(|part| Type { part, ..*self }.takes(value)),
            "enumeration" => part.all("enum").any(|one| one.argument == value),
            "empty" => false,
            "string" => {
                let length = part
                    .part("length")
                    .is_none_or(|length| in_range(&length.argument, value.chars().count() as i128));
                length
                    && part
                        .all("pattern")
                        .all(|pattern| follows(&pattern.argument, value))
            }
            name if name.contains("int") && !name.contains(':') => {
                let Ok(number) = value.parse::<i128>() else {
                    return false;
                };
                let (low, high) = bounds(name);
                (low..=high).contains(&number)
                    && part
                        .part("range")
                        .is_none_or(|range| in_range(&range.argument, number))
            }
            name => match self.schema.resolve(self.module, name, |m| &m.typedefs) {
                Some((module, typedef)) => typedef.part("type").is_none_or(|part| {
                    Type {
                        module,
                        part,
                        ..*self
                    }
                    .takes(value)
                }),
                None => true,
            },
        }
    }

    /// For messages.
    pub(crate) fn words(&self) -> String {
        match self.name() {
            "union" => {
                let types = self
                    .part
                    .all("type")
                    .filter(|one| one.part("pattern").is_none());
                let types: Vec<String> = types.map(|part| Type { part, ..*self }.words()).collect();
                types.join(" or ")
            }
            "enumeration" => {
                let values: Vec<&str> = self
                    .part
                    .all("enum")
                    .map(|one| one.argument.as_str())
                    .collect();
                values.join(", ")
            }
            name => match self.part.part("range") {
                Some(range) => format!("{name} {}", range.argument),
                None => name.to_owned(),
            },
        }
    }
}

impl Part {
    fn part(&self, keyword: &str) -> Option<&Self> {
        self.parts.iter().find(|part| part.keyword == keyword)
    }

    fn all<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Self> {
        self.parts
            .iter()
            .filter(move |part| part.keyword == keyword)
    }
}

fn bounds(name: &str) -> (i128, i128) {
    match name {
        "int8" => (-128, 127),
        "int16" => (-32768, 32767),
        "int32" => (-(1 << 31), (1 << 31) - 1),
        "int64" => (-(1 << 63), (1 << 63) - 1),
        "uint8" => (0, 0xff),
        "uint16" => (0, 0xffff),
        "uint32" => (0, 0xffff_ffff),
        _ => (0, (1 << 64) - 1),
    }
}

fn in_range(range: &str, number: i128) -> bool {
    range.split('|').any(|part| {
        let (low, high) = part.split_once("..").unwrap_or((part, part));
        let bound = |text: &str, other: i128| text.trim().parse().unwrap_or(other);
        (bound(low, i128::MIN)..=bound(high, i128::MAX)).contains(&number)
    })
}

/// `<.*>|$.*` is what groups write in a value's place: never in a text of ours.
fn follows(pattern: &str, value: &str) -> bool {
    if pattern == "<.*>|$.*" {
        return false;
    }
    // A pattern of XML Schema that Rust's regular expressions don't know is no
    // ground to refuse.
    patterns::whole(pattern).is_ok_and(|regex| regex.is_match(value))
}

fn module(parts: Vec<Part>) -> Module {
    let module = parts.into_iter().next().expect("a module");
    assert_eq!(module.keyword, "module", "a module");
    let prefix = module
        .part("prefix")
        .map_or("", |part| &part.argument)
        .to_owned();
    let raw_imports = module
        .all("import")
        .filter_map(|import| {
            Some((
                import.part("prefix")?.argument.clone(),
                import.argument.clone(),
            ))
        })
        .collect();
    let root = module
        .all("container")
        .filter(|part| part.argument == "configuration");
    let added = module
        .all("augment")
        .filter(|part| part.argument == "/jc:configuration");
    let top = root
        .chain(added)
        .flat_map(|part| part.parts.clone())
        .collect();
    let named = |keyword: &'static str| {
        let parts = module
            .parts
            .iter()
            .filter(move |part| part.keyword == keyword);
        parts
            .map(|part| (part.argument.clone(), part.clone()))
            .collect()
    };
    Module {
        name: module.argument.clone(),
        prefix,
        imports: HashMap::new(),
        groupings: named("grouping"),
        typedefs: named("typedef"),
        top,
        raw_imports,
    }
}

fn parts(text: &str) -> Vec<Part> {
    let mut open: Vec<Part> = vec![Part {
        keyword: String::new(),
        argument: String::new(),
        parts: Vec::new(),
    }];
    let mut words: Vec<String> = Vec::new();
    for token in tokens(text) {
        match token {
            Token::Word(word) => words.push(word),
            Token::Open => open.push(part(std::mem::take(&mut words))),
            Token::End => {
                let part = part(std::mem::take(&mut words));
                // Not needed here, and half of the text.
                if !matches!(
                    part.keyword.as_str(),
                    "description" | "status" | "ordered-by"
                ) {
                    open.last_mut().expect("a module").parts.push(part);
                }
            }
            Token::Close => {
                let done = open.pop().expect("as many { as }");
                open.last_mut().expect("as many { as }").parts.push(done);
            }
        }
    }
    open.pop().expect("a file").parts
}

fn part(words: Vec<String>) -> Part {
    let mut words = words.into_iter();
    Part {
        keyword: words.next().unwrap_or_default(),
        argument: words.next().unwrap_or_default(),
        parts: Vec::new(),
    }
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '{' => {
                tokens.push(Token::Open);
                1
            }
            '}' => {
                tokens.push(Token::Close);
                1
            }
            ';' => {
                tokens.push(Token::End);
                1
            }
            '"' => {
                let end = rest[1..].find('"').expect("a quotation mark's pair") + 1;
                tokens.push(Token::Word(rest[1..end].to_owned()));
                end + 1
            }
            '/' if rest.starts_with("/*") => rest.find("*/").expect("a comment's end") + 2,
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "{};".contains(c));
                let end = end.unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
        };
        rest = rest[length..].trim_start();
    }
    tokens
}
