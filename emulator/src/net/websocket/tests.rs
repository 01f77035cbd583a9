//! The stream against frames written by hand, over a pipe with little room.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
    time::timeout,
};

use super::stream::{MAX_MESSAGE, WebSocketStream};

fn pair(room: usize) -> (DuplexStream, WebSocketStream<DuplexStream>, watch::Sender<bool>) {
    let (client, server) = duplex(room);
    let (sender, shutdown) = watch::channel(false);
    (client, WebSocketStream::new(server, Vec::new(), shutdown), sender)
}

/// A masked frame, with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 0x7e);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The payloads of binary frames that a server has sent.
fn payloads(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let [first, second, ..] = *bytes {
        assert_eq!((first, second & 0x80), (0x82, 0));
        let (length, head) = match second {
            126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            length => {
                assert_ne!(length, 127, "a frame of more than 64 KiB");
                (usize::from(length), 2)
            }
        };
        all.extend(&bytes[head..head + length]);
        bytes = &bytes[head + length..];
    }
    all
}

#[tokio::test]
async fn bytes_arrive_however_they_are_cut() {
    let text: Vec<u8> = (0..10_000_u32).map(|number| number as u8).collect();
    for size in [1, 3, 125, 126, 127, 9_999, 10_000] {
        let (mut client, mut server, _sender) = pair(64);
        let text = &text;
        let send = async {
            for (number, piece) in text.chunks(size).enumerate() {
                // Messages of two frames: the second ends it.
                let first = if number % 2 == 0 { 0x02 } else { 0x80 };
                client.write_all(&frame(first, piece)).await.expect("sent");
                client.write_all(&frame(0x89, b"ping")).await.expect("sent");
            }
            client
                .write_all(&frame(if text.chunks(size).len() % 2 == 0 { 0x82 } else { 0x80 }, b"!"))
                .await
                .expect("sent");
            // Takes the pongs.
            let _ = client.read_to_end(&mut Vec::new()).await;
        };
        let receive = async {
            let mut got = vec![0; text.len() + 1];
            server.read_exact(&mut got).await.expect("read");
            assert_eq!(got[..text.len()], text[..]);
            drop(server);
        };
        let both = async { tokio::join!(send, receive) };
        timeout(Duration::from_secs(20), both).await.expect("nobody waits for the other");
    }
}

#[tokio::test]
async fn bytes_leave_in_frames_and_no_faster_than_they_are_read() {
    let (mut client, mut server, _sender) = pair(1000);
    let text: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
    let sent = timeout(Duration::from_millis(200), server.write_all(&text)).await;
    assert!(sent.is_err(), "nobody reads: it is not taken");
    let mut taken = vec![0; 1000];
    client.read_exact(&mut taken).await.expect("read");
    drop(server);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("read");
    assert!(rest.len() <= 1000, "{} bytes more had been handed over", rest.len());

    let (mut client, mut server, _sender) = pair(1000);
    let send = async {
        server.write_all(&text).await.expect("sent");
        server.flush().await.expect("flushed");
        drop(server);
    };
    let mut got = Vec::new();
    let ((), read) = tokio::join!(send, client.read_to_end(&mut got));
    read.expect("read");
    assert_eq!(payloads(&got), text);
}

#[tokio::test]
async fn what_is_no_stream_of_binary_messages_is_an_error_with_a_close_frame() {
    let too_large = [vec![0x82, 0xff], (MAX_MESSAGE as u64 + 1).to_be_bytes().to_vec(), vec![0; 4]].concat();
    for (bytes, code) in [(frame(0x81, b"text"), 1003), (vec![0x82, 0], 1002), (too_large, 1009)] {
        let (mut client, mut server, _sender) = pair(1000);
        client.write_all(&bytes).await.expect("sent");
        let error = server.read(&mut [0; 10]).await.expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(server.write_all(b"late").await.is_err());
        let (answer, closed) = tokio::join!(
            async {
                let mut answer = vec![0; 4];
                client.read_exact(&mut answer).await.expect("a close frame");
                drop(client);
                answer
            },
            server.shutdown()
        );
        closed.expect("closed");
        assert_eq!((answer[0], u16::from_be_bytes([answer[2], answer[3]])), (0x88, code));
    }
}

#[tokio::test]
async fn the_farewell_is_said_once_and_waits_for_the_answer() {
    for is_shutdown in [false, true] {
        let (mut client, mut server, sender) = pair(1000);
        sender.send_replace(is_shutdown);
        server.write_all(b"last").await.expect("sent");
        let client = async {
            let mut bytes = vec![0; 6 + 4];
            client.read_exact(&mut bytes).await.expect("both frames");
            assert_eq!(bytes[..6], *b"\x82\x04last");
            assert_eq!(u16::from_be_bytes([bytes[8], bytes[9]]), if is_shutdown { 1001 } else { 1000 });
            client.write_all(&frame(0x82, b"on its way")).await.expect("sent");
            client.write_all(&frame(0x88, &[])).await.expect("sent");
            client.read_to_end(&mut Vec::new()).await.expect("closed")
        };
        let (rest, closed) = tokio::join!(client, server.shutdown());
        closed.expect("closed");
        assert!(rest <= 30, "the reason, and nothing else");
    }
}

#[tokio::test]
async fn the_clients_farewell_is_answered_and_is_the_end() {
    let (mut client, mut server, _sender) = pair(1000);
    client.write_all(&[frame(0x82, b"bye"), frame(0x88, &[3, 0xe9])].concat()).await.expect("sent");
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.expect("the end");
    assert_eq!(got, b"bye");
    server.shutdown().await.expect("closed");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("read");
    assert_eq!(answer, [0x88, 2, 3, 0xe9]);
}
