//! Configuration text whose nesting is its indentation: Cisco's and its
//! relatives' as their routers print it.

/// A line and what stands below it, deeper indented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// From 1.
    pub line: usize,
    /// Without the spaces around it.
    pub text: String,
    pub children: Vec<Self>,
}

/// The tree; empty lines and lines of comment (`!`, `#`) are left out.
pub fn parse(text: &str) -> Vec<Node> {
    let mut top = Vec::new();
    let mut open: Vec<(usize, Node)> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let content = raw.trim();
        if content.is_empty() || content.starts_with(['!', '#']) {
            continue;
        }
        let indent = raw.len() - raw.trim_start().len();
        close(&mut open, &mut top, indent);
        let node = Node {
            line: index + 1,
            text: content.to_owned(),
            children: Vec::new(),
        };
        open.push((indent, node));
    }
    close(&mut open, &mut top, 0);
    top
}

impl Node {
    pub fn words(&self) -> Vec<&str> {
        self.text.split_whitespace().collect()
    }
}

/// Ends the nodes that a line of this indentation can't be below.
fn close(open: &mut Vec<(usize, Node)>, top: &mut Vec<Node>, indent: usize) {
    while let Some((_, node)) = open.pop_if(|(own, _)| *own >= indent) {
        match open.last_mut() {
            Some((_, parent)) => parent.children.push(node),
            None => top.push(node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeper_lines_stand_below_the_line_before() {
        let tree = parse("a\n b\n  c\n ! no\n d\n\ne\n");
        let shape: Vec<_> = tree
            .iter()
            .map(|node| (node.line, node.text.as_str(), node.children.len()))
            .collect();
        assert_eq!(shape, [(1, "a", 2), (7, "e", 0)]);
        assert_eq!(tree[0].children[0].children[0].text, "c");
        assert_eq!(tree[0].children[1].line, 5);
    }
}
