//! From a router to a platform's text.

use crate::check::{Mistakes, Router};
use crate::header;
use crate::platform::{Made, Platform};
use crate::template::{TemplateEnvironment, TemplateError, Templates};
use crate::view::{self, RouterView};

/// Which text.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub part: Part,
    /// One of [`Platform::forms`]; `None`: the usual one.
    pub form: Option<&'a str>,
    pub keys: KeyText,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The configuration, the other parts as comments at its end.
    Whole,
    /// Commands that show whether it works.
    Verify,
    /// How to move traffic away before maintenance, and back.
    Drain,
    /// How to take it out again.
    Rollback,
}

/// Whether the text holds the MD5 keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyText {
    /// For the router.
    Reveal,
    /// [`KeyText::REDACTED`] in their place, for eyes and tickets.
    Redact,
}

impl KeyText {
    pub const REDACTED: &str = "<auth-key>";
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The platform can't write this.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("{platform} has no form {form:?}{known}", known = known(*platform))]
    Form { platform: Platform, form: String },
    #[error("{platform}: what the template wrote has no form {form}: {what}")]
    Derived {
        platform: Platform,
        form: &'static str,
        what: String,
    },
}

/// The router's text for `platform`, ready to paste.
pub fn render(
    router: &Router,
    platform: Platform,
    templates: &Templates,
    wanted: Wanted<'_>,
) -> Result<String, RenderError> {
    let writing = Writing {
        platform,
        templates: templates.environment(),
        view: view::view(router, platform, wanted.keys)?,
    };
    match wanted.part {
        Part::Verify => writing.template("verify.j2"),
        Part::Drain => writing.template("drain.j2"),
        Part::Rollback => writing.template("rollback.j2"),
        Part::Whole => writing.whole(router, wanted),
    }
}

struct Writing {
    platform: Platform,
    templates: TemplateEnvironment,
    view: RouterView,
}

impl Writing {
    fn template(&self, file: &str) -> Result<String, RenderError> {
        let name = format!("{}/{file}", self.platform);
        Ok(self.templates.render(&name, &self.view)?)
    }

    fn whole(&self, router: &Router, wanted: Wanted<'_>) -> Result<String, RenderError> {
        let assumed = self.template("assumes.j2")?;
        let head = header::header(router, self.platform, &assumed, wanted.keys);
        let mut text = self.commented(&head);
        text.push_str(&self.configuration(wanted.form)?);
        for (title, file) in [
            ("To verify:", "verify.j2"),
            (
                "To drain before maintenance, and back (RFC 8326):",
                "drain.j2",
            ),
            ("To take it out:", "rollback.j2"),
        ] {
            let lines = self.template(file)?;
            let lines: Vec<String> = lines.lines().map(|line| format!("  {line}")).collect();
            text.push_str(&self.commented(&format!("\n{title}\n{}", lines.join("\n"))));
        }
        Ok(text)
    }

    fn configuration(&self, form: Option<&str>) -> Result<String, RenderError> {
        let Some(name) = form else {
            return self.template("config.j2");
        };
        let Some(form) = self.platform.form(name) else {
            return Err(RenderError::Form {
                platform: self.platform,
                form: name.to_owned(),
            });
        };
        match form.made {
            Made::Usual => self.template("config.j2"),
            Made::Template(file) => self.template(file),
            Made::From(derive) => {
                derive(&self.template("config.j2")?).map_err(|what| RenderError::Derived {
                    platform: self.platform,
                    form: form.name,
                    what,
                })
            }
        }
    }

    fn commented(&self, text: &str) -> String {
        let comment = self.platform.comment();
        let lines = text.lines().map(|line| {
            let line = format!("{comment} {line}");
            format!("{}\n", line.trim_end())
        });
        lines.collect()
    }
}

fn known(platform: Platform) -> String {
    let forms: Vec<&str> = platform.forms().collect();
    if forms.is_empty() {
        String::new()
    } else {
        format!("; it has {}", forms.join(", "))
    }
}
