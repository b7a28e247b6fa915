//! Templates: those built in, and those of the user in their place. Strict: a
//! field that the view doesn't have is an error with template, line and field.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use crate::platform::Platform;
use crate::view::RouterView;

/// Every platform's templates, by `PLATFORM/PART.j2`.
#[derive(Clone, Debug)]
pub struct Templates(BTreeMap<String, String>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("there is no template {0}; known: PLATFORM/{parts}", parts = PARTS.join(", PLATFORM/"))]
    Unknown(String),
    #[error("template {template}, line {line}: {what}")]
    Faulty {
        template: String,
        line: usize,
        what: String,
    },
}

/// What a platform's folder holds, besides further forms of the first.
pub(crate) const PARTS: [&str; 5] = [
    "config.j2",
    "assumes.j2",
    "verify.j2",
    "drain.j2",
    "rollback.j2",
];

impl Templates {
    pub fn built_in() -> Self {
        let all = Platform::all().flat_map(|platform| {
            platform
                .templates()
                .map(move |(file, text)| (format!("{platform}/{file}"), text.to_owned()))
        });
        Self(all.collect())
    }

    /// A platform's own, by `PLATFORM/PART.j2`.
    pub fn of(&self, platform: Platform) -> impl Iterator<Item = (&str, &str)> {
        let all = self
            .0
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        all.filter(move |(name, _)| name.split('/').next() == Some(platform.name()))
    }

    /// `text` in the place of the template `name`.
    pub fn replace(&mut self, name: &str, text: String) -> Result<(), TemplateError> {
        let place = self
            .0
            .get_mut(name)
            .ok_or_else(|| TemplateError::Unknown(name.to_owned()))?;
        *place = text;
        Ok(())
    }

    /// Each is parsed when it is first asked for.
    pub(crate) fn environment(&self) -> TemplateEnvironment {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_debug(true);
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build()
                .expect("invariant: the delimiters are the usual ones"),
        );
        let texts = self.0.clone();
        environment.set_loader(move |name| Ok(texts.get(name).cloned()));
        TemplateEnvironment(environment)
    }
}

pub(crate) struct TemplateEnvironment(Environment<'static>);

impl TemplateEnvironment {
    pub(crate) fn render(&self, name: &str, view: &RouterView) -> Result<String, TemplateError> {
        self.0
            .get_template(name)
            .and_then(|template| template.render(minijinja::value::Serde(view)))
            .map_err(|error| faulty(name, &error))
    }
}

/// The innermost error: an error in an included template is wrapped.
fn faulty(name: &str, error: &minijinja::Error) -> TemplateError {
    let mut innermost = error;
    while let Some(inner) = std::error::Error::source(innermost)
        .and_then(|source| source.downcast_ref::<minijinja::Error>())
    {
        innermost = inner;
    }
    let field = innermost
        .range()
        .and_then(|range| innermost.template_source()?.get(range));
    let what = match (innermost.kind(), innermost.detail(), field) {
        (minijinja::ErrorKind::UndefinedError, _, Some(field)) => {
            format!("there is no field `{}`", field.trim())
        }
        (kind, Some(detail), _) => format!("{kind}: {detail}"),
        (kind, None, Some(field)) => format!("{kind} at `{}`", field.trim()),
        (kind, None, None) => kind.to_string(),
    };
    TemplateError::Faulty {
        template: innermost.name().unwrap_or(name).to_owned(),
        line: innermost.line().unwrap_or(0),
        what,
    }
}
