//! What the image that this process came in says of itself. `images/describe` writes it, a line each.

use std::io::ErrorKind;
use std::path::Path;

use tracing::{info, warn};

/// Where an image has it.
pub(crate) const FILE: &str = "/usr/share/evalx/image";

/// Logs it. Whoever was installed in another way says nothing.
pub(crate) fn tell(file: &Path) {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let Image { tier, isolate, debian, toolchains } = Image::read(&text);
            info!(tier, isolate, debian, toolchains = toolchains.join("; "), "the image");
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => warn!(file = %file.display(), %error, "the image does not say what it is"),
    }
}

/// An image. What is not said is empty.
#[derive(Debug, Default, PartialEq, Eq)]
struct Image<'a> {
    tier: &'a str,
    isolate: &'a str,
    debian: &'a str,
    /// Program, package, version and digest of each.
    toolchains: Vec<&'a str>,
}

impl<'a> Image<'a> {
    fn read(text: &'a str) -> Self {
        let mut image = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("tier", tier)) => image.tier = tier,
                // Isolate itself, where it is installed, is one of the programs.
                Some(("isolate", how)) if !how.contains("sha256:") => image.isolate = how,
                Some(("debian", version)) => image.debian = version,
                _ => image.toolchains.push(line),
            }
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn an_image_is_read() {
        let text = "tier core\nisolate package\ndebian 12.11 amd64\n\
            gcc gcc-12 12.2.0-14 sha256:75\nisolate isolate 2.1-1 sha256:76\n";
        let expected = Image {
            tier: "core",
            isolate: "package",
            debian: "12.11 amd64",
            toolchains: vec!["gcc gcc-12 12.2.0-14 sha256:75", "isolate isolate 2.1-1 sha256:76"],
        };
        assert_eq!(Image::read(text), expected);
    }
}
