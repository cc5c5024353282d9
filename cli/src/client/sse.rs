//! Server-sent events, as bytes become events (WHATWG HTML, 9.2.6).

use std::collections::VecDeque;

/// The largest event: the last one holds a whole report.
const MOST: usize = 16 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// What kind.
    pub(crate) name: String,
    /// What it says.
    pub(crate) data: String,
    /// Where the stream is after it.
    pub(crate) id: Option<String>,
}

/// An event without an end.
#[derive(Debug, thiserror::Error)]
#[error("an event of more than {} MiB", MOST >> 20)]
pub(crate) struct TooLarge;

/// What has come of a stream.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The line that is not whole yet.
    line: Vec<u8>,
    name: String,
    data: Option<String>,
    id: Option<String>,
    ready: VecDeque<Event>,
}

impl Parser {
    /// Takes more bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            self.take(line.strip_suffix('\r').unwrap_or(&line));
        }
        self.line.extend_from_slice(bytes);
        let held = self.line.len() + self.data.as_ref().map_or(0, String::len);
        if held > MOST { Err(TooLarge) } else { Ok(()) }
    }

    /// The next event that is whole.
    pub(super) fn event(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    fn take(&mut self, line: &str) {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            if let Some(data) = self.data.take() {
                self.ready.push_back(Event { name, data, id: self.id.clone() });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                None => self.data = Some(value.to_owned()),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            },
            "id" => self.id = Some(value.to_owned()),
            // A comment is a sign of life; how long to wait is this side's business.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str]) -> Vec<Event> {
        let mut parser = Parser::default();
        pieces.iter().for_each(|piece| parser.push(piece.as_bytes()).unwrap());
        std::iter::from_fn(|| parser.event()).collect()
    }

    #[test]
    fn events_come_out_as_they_went_in_however_they_are_cut() {
        let stream = "event: status\ndata: {\"a\":1}\n\n: alive\n\nid: 7-0\r\nevent:test\r\n\
                      data: one\r\ndata: two\r\n\r\nevent: lost\ndata: no end";
        let event = |name: &str, data: &str, id: Option<&str>| Event {
            name: name.to_owned(),
            data: data.to_owned(),
            id: id.map(str::to_owned),
        };
        let expected = [event("status", "{\"a\":1}", None), event("test", "one\ntwo", Some("7-0"))];
        assert_eq!(events(&[stream]), expected);
        for cut in 0..stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(events(&[head, tail]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; MOST];
        assert!(parser.push(&piece).is_ok());
        assert!(parser.push(b"x").is_err());
    }
}
