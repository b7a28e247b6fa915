//! Junos configuration text, in braces or as `set` lines, as one flat list of
//! statements: the words from the top of the hierarchy down.

use std::fmt;

/// `set interfaces xe-0/0/0 unit 101 vlan-id 101`, without the `set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Where its last part stands, from 1.
    pub line: usize,
    pub words: Vec<String>,
}

/// Text that is no configuration, whatever its keywords mean.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SyntaxError {
    pub line: usize,
    pub what: String,
}

/// Either form; what is marked `inactive:` is left out with all it holds.
pub fn parse(text: &str) -> Result<Vec<Statement>, SyntaxError> {
    let tokens = tokens(text)?;
    match tokens.first() {
        Some((_, Token::Word { text, .. })) if text == "set" => set_form(&tokens),
        _ => curly_form(&tokens),
    }
}

/// The statements as `set` lines.
pub fn set_lines(statements: &[Statement]) -> Vec<String> {
    statements
        .iter()
        .map(|statement| format!("set {statement}"))
        .collect()
}

impl Statement {
    /// The words after `prefix`, if they begin with it.
    pub fn after<'a>(&'a self, prefix: &[&str]) -> Option<&'a [String]> {
        let (head, rest) = self.words.split_at_checked(prefix.len())?;
        (head == prefix).then_some(rest)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            if word.is_empty() || word.contains(|c: char| NEEDS_QUOTES.contains(c)) {
                let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "{space}\"{escaped}\"")?;
            } else {
                write!(f, "{space}{word}")?;
            }
        }
        Ok(())
    }
}

const NEEDS_QUOTES: &str = " \t\n\"\\;{}[]#&|<>()'";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word { text: String, quoted: Quoted },
    Open,
    Close,
    OpenList,
    CloseList,
    Semicolon,
    EndOfLine,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoted {
    Yes,
    No,
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            '\n' => {
                if !matches!(tokens.last(), None | Some((_, Token::EndOfLine))) {
                    tokens.push((line, Token::EndOfLine));
                }
                line += 1;
                continue;
            }
            c if c.is_whitespace() => continue,
            '#' => {
                while chars.next_if(|c| *c != '\n').is_some() {}
                continue;
            }
            '/' if chars.peek() == Some(&'*') => {
                let began = line;
                let mut last = ' ';
                loop {
                    match chars.next() {
                        Some('/') if last == '*' => break,
                        Some(c) => {
                            line += usize::from(c == '\n');
                            last = c;
                        }
                        None => return Err(error(began, "a comment that never ends")),
                    }
                }
                continue;
            }
            '{' => Token::Open,
            '}' => Token::Close,
            '[' => Token::OpenList,
            ']' => Token::CloseList,
            ';' => Token::Semicolon,
            '"' => quoted(&mut chars, line)?,
            c => {
                let mut word = c.to_string();
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !"{}[];\"".contains(*c))
                {
                    word.push(c);
                }
                Token::Word {
                    text: word,
                    quoted: Quoted::No,
                }
            }
        };
        tokens.push((line, token));
    }
    tokens.push((line, Token::EndOfLine));
    Ok(tokens)
}

fn quoted(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    line: usize,
) -> Result<Token, SyntaxError> {
    let mut text = String::new();
    loop {
        match chars.next() {
            Some('"') => {
                return Ok(Token::Word {
                    text,
                    quoted: Quoted::Yes,
                });
            }
            Some('\\') => text.extend(chars.next()),
            Some('\n') | None => return Err(error(line, "a quotation mark without its pair")),
            Some(c) => text.push(c),
        }
    }
}

fn set_form(tokens: &[(usize, Token)]) -> Result<Vec<Statement>, SyntaxError> {
    let mut statements = Vec::new();
    for line in tokens.split(|(_, token)| *token == Token::EndOfLine) {
        let Some(((number, first), rest)) = line.split_first() else {
            continue;
        };
        if !matches!(first, Token::Word { text, .. } if text == "set") {
            return Err(error(*number, "not a `set` line, as the first one is"));
        }
        let mut open = Open::default();
        for (line, token) in rest {
            match token {
                Token::OpenList => open.begin_list(*line)?,
                Token::CloseList => open.end_list(*line)?,
                Token::Word { text, .. } => open.push(text),
                _ => {
                    return Err(error(
                        *line,
                        "braces and semicolons have no place in a `set` line",
                    ));
                }
            }
        }
        statements.extend(open.finish(*number, &[])?);
    }
    Ok(statements)
}

/// The words of a statement that has not ended yet; several lists of words
/// where it holds `[ a b ]`.
#[derive(Default)]
struct Open {
    words: Vec<String>,
    list: Option<Vec<String>>,
    listed: Option<Vec<String>>,
}

impl Open {
    fn push(&mut self, word: &str) {
        self.list
            .as_mut()
            .unwrap_or(&mut self.words)
            .push(word.to_owned());
    }

    fn begin_list(&mut self, line: usize) -> Result<(), SyntaxError> {
        if self.list.is_some() || self.listed.is_some() || self.words.is_empty() {
            return Err(error(line, "`[` has no place here"));
        }
        self.list = Some(Vec::new());
        Ok(())
    }

    fn end_list(&mut self, line: usize) -> Result<(), SyntaxError> {
        self.listed = self.list.take();
        match &self.listed {
            Some(words) if !words.is_empty() => Ok(()),
            _ => Err(error(line, "`]` has no place here")),
        }
    }

    fn finish(self, line: usize, above: &[Vec<String>]) -> Result<Vec<Statement>, SyntaxError> {
        if self.list.is_some() {
            return Err(error(line, "`[` without its pair"));
        }
        if self.words.is_empty() {
            return Err(error(line, "a statement without words"));
        }
        let base: Vec<String> = above.iter().flatten().cloned().chain(self.words).collect();
        Ok(match self.listed {
            None => vec![Statement { line, words: base }],
            Some(listed) => listed
                .into_iter()
                .map(|word| Statement {
                    line,
                    words: base.iter().cloned().chain([word]).collect(),
                })
                .collect(),
        })
    }
}

fn curly_form(tokens: &[(usize, Token)]) -> Result<Vec<Statement>, SyntaxError> {
    let mut statements: Vec<Statement> = Vec::new();
    // Each open block: its words, where it began, how many statements there were.
    let mut above: Vec<Vec<String>> = Vec::new();
    let mut began: Vec<(usize, usize)> = Vec::new();
    let mut inactive: Option<usize> = None;
    let mut open = Open::default();
    let mut skip_this = false;
    for (line, token) in tokens {
        match token {
            Token::EndOfLine => {}
            Token::Word {
                text,
                quoted: Quoted::No,
            } if open.words.is_empty() && TAGS.contains(&text.as_str()) => {
                skip_this |= text == "inactive:";
            }
            Token::Word { text, .. } => open.push(text),
            Token::OpenList => open.begin_list(*line)?,
            Token::CloseList => open.end_list(*line)?,
            Token::Semicolon => {
                let found = std::mem::take(&mut open).finish(*line, &above)?;
                if !std::mem::take(&mut skip_this) && inactive.is_none() {
                    statements.extend(found);
                }
            }
            Token::Open => {
                let words = std::mem::take(&mut open);
                if words.words.is_empty() || words.list.is_some() || words.listed.is_some() {
                    return Err(error(*line, "`{` has no place here"));
                }
                above.push(words.words);
                began.push((*line, statements.len()));
                if std::mem::take(&mut skip_this) && inactive.is_none() {
                    inactive = Some(above.len());
                }
            }
            Token::Close => {
                if !open.words.is_empty() {
                    return Err(error(
                        *line,
                        format!("`{}` lacks its semicolon", open.words.join(" ")),
                    ));
                }
                let Some((from, before)) = began.pop() else {
                    return Err(error(*line, "`}` without its pair"));
                };
                if statements.len() == before && inactive.is_none() {
                    let words = above.iter().flatten().cloned().collect();
                    statements.push(Statement { line: from, words });
                }
                if inactive == Some(above.len()) {
                    inactive = None;
                }
                above.pop();
            }
        }
    }
    if let Some((line, _)) = began.pop() {
        return Err(error(line, "`{` without its pair"));
    }
    match open.words.as_slice() {
        [] => Ok(statements),
        words => Err(error(
            tokens.last().map_or(1, |(line, _)| *line),
            format!("`{}` lacks its semicolon", words.join(" ")),
        )),
    }
}

/// What can stand before a statement and says something about it.
const TAGS: [&str; 4] = ["inactive:", "protect:", "replace:", "active:"];

fn error(line: usize, what: impl Into<String>) -> SyntaxError {
    SyntaxError {
        line,
        what: what.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CURLY: &str = "/* head\n */\nprotocols {\n    bgp {\n        group DX {\n            \
        authentication-key \"a b;\"; # why\n            import [ one two ];\n            \
        inactive: neighbor 192.0.2.1 {\n                peer-as 1;\n            }\n        }\n    }\n}\n";

    #[test]
    fn both_forms_read_the_same() {
        let statements = parse(CURLY).unwrap();
        let lines = set_lines(&statements);
        assert_eq!(
            lines,
            [
                "set protocols bgp group DX authentication-key \"a b;\"",
                "set protocols bgp group DX import one",
                "set protocols bgp group DX import two",
            ]
        );
        assert_eq!(statements[0].line, 6);
        let again = parse(&lines.join("\n")).unwrap();
        assert_eq!(set_lines(&again), lines);
    }

    #[test]
    fn what_is_open_or_closed_too_often_is_named_with_its_line() {
        for (text, line, words) in [
            ("a {\n b;\n", 1, "without its pair"),
            ("a {\n b;\n}\n}\n", 4, "without its pair"),
            ("a {\n b\n}\n", 3, "semicolon"),
            ("a \"b;\n", 1, "quotation mark"),
            ("a [ b;\n", 1, "without its pair"),
            ("/* a\n", 1, "comment"),
            ("set a b\nc d\n", 2, "not a `set` line"),
            ("set a { b\n", 1, "braces"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(
                error.line == line && error.what.contains(words),
                "{text:?}: {error}"
            );
        }
    }
}
