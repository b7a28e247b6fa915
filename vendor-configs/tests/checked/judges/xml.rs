//! As much of XML as VyOS's interface definitions use: elements, attributes,
//! text.

#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Self>,
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// The top element. Panics on what is no XML: it is part of the test.
pub(crate) fn parse(text: &str) -> Element {
    let mut open = vec![Element::default()];
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let top = open.last_mut().expect("an open element");
        top.text.push_str(&unescaped(rest[..start].trim()));
        let tag = &rest[start + 1..];
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = &comment[comment.find("-->").expect("a comment's end") + 3..];
            continue;
        }
        let end = tag.find('>').expect("a tag's end");
        rest = &tag[end + 1..];
        let tag = &tag[..end];
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if tag.starts_with('/') {
            let done = open.pop().expect("an open element");
            open.last_mut()
                .expect("an open element")
                .children
                .push(done);
        } else if let Some(tag) = tag.strip_suffix('/') {
            let element = element(tag);
            open.last_mut()
                .expect("an open element")
                .children
                .push(element);
        } else {
            open.push(element(tag));
        }
    }
    let mut document = open.pop().expect("the document");
    document.children.pop().expect("a top element")
}

fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').expect("a value's end");
        attributes.push((key.trim().to_owned(), unescaped(value)));
        rest = after;
    }
    Element {
        name: name.trim().to_owned(),
        attributes,
        ..Element::default()
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}
