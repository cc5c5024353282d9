//! One request over plain HTTP: probes and metrics, etcd's own interface, evalX' service.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The status and the body of an answer.
pub async fn request(
    method: Method,
    address: SocketAddr,
    path: &str,
    body: String,
) -> Result<(u16, String)> {
    let stream = TcpStream::connect(address).await.context("nobody listens")?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.context("no HTTP")?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.to_string())
        .header("connection", "close")
        // Only documents are sent here.
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .context("the request is malformed")?;
    // The connection is driven here, beside the exchange, and ends with it.
    let exchange = async {
        let answer = sender.send_request(request).await.context("no answer")?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.context("the answer breaks off")?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    };
    let (_, answer) = tokio::join!(connection, exchange);
    answer
}

/// The body of a GET that is answered with 200.
pub async fn get(address: SocketAddr, path: &str) -> Result<String> {
    let (status, body) = request(Method::GET, address, path, String::new()).await?;
    anyhow::ensure!(status == 200, "{path} answers {status}: {body}");
    Ok(body)
}

/// The sum of the samples of a metric whose labels contain all of `labels`. `None`: no such sample.
#[must_use]
pub fn sample(text: &str, metric: &str, labels: &[&str]) -> Option<f64> {
    let of_metric = |line: &&str| {
        let rest = line.strip_prefix(metric);
        rest.is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
            && labels.iter().all(|label| line.contains(label))
    };
    let values = text.lines().filter(of_metric).filter_map(|line| {
        let value = line.rsplit('}').next().unwrap_or(line);
        let value = value.strip_prefix(metric).unwrap_or(value);
        value.split_whitespace().next()?.parse::<f64>().ok()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn samples_are_summed_by_label() {
        let text = "# HELP a x\na{v=\"1\",w=\"2\"} 3\na{v=\"1\"} 4\nab{v=\"1\"} 50\nc 6\n";
        assert_eq!(sample(text, "a", &["v=\"1\""]), Some(7.0));
        assert_eq!(sample(text, "a", &["w=\"2\""]), Some(3.0));
        assert_eq!(sample(text, "c", &[]), Some(6.0));
        assert_eq!(sample(text, "d", &[]), None);
    }
}
