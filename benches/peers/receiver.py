"""A GPS receiver on a pseudo-terminal: what a Quectel L76K says each second, some 870 bytes at 9600 baud."""

import os
import threading
import time
import tty

# What a UART hands on at a time, and how long that takes at 9600 baud.
CHUNK, CHUNK_TIME = 16, 16 * 10 / 9600


def sentence(text):
    check = 0
    for byte in text.encode():
        check ^= byte
    return f"${text}*{check:02X}\r\n"


def epoch(now):
    """The sentences of one second; a ship in the North Sea, fourteen satellites, GPS and GLONASS and BeiDou."""
    clock, date = time.strftime("%H%M%S.000", now), time.strftime("%d%m%y", now)
    position = "5157.28230,N,00409.84600,E"
    texts = [
        f"GNGGA,{clock},{position},1,14,0.9,52.8,M,45.1,M,,",
        f"GNGLL,{position},{clock},A,A",
        "GNGSA,A,3,02,07,14,15,17,20,22,30,,,,,1.5,0.9,1.2,1",
        "GNGSA,A,3,13,27,37,,,,,,,,,,1.5,0.9,1.2,4",
        "GNGSA,A,3,73,84,83,,,,,,,,,,1.5,0.9,1.2,2",
        "GPGSV,3,1,12,01,17,083,20,02,20,056,27,07,18,123,25,08,,,15,0",
        "GPGSV,3,2,12,14,79,041,29,15,31,297,21,17,54,166,28,19,24,192,23,0",
        "GPGSV,3,3,12,20,47,263,20,22,78,280,15,24,07,305,,30,57,127,31,0",
        "BDGSV,1,1,03,13,19,043,17,27,38,127,33,37,36,091,24,0",
        "GLGSV,3,1,10,74,52,302,,82,25,034,33,73,59,049,31,80,10,081,21,0",
        "GLGSV,3,2,10,75,07,276,,65,19,333,,84,12,149,26,83,37,097,19,0",
        "GLGSV,3,3,10,71,23,216,,72,43,277,,0",
        f"GNRMC,{clock},A,{position},14.20,286.35,{date},,,A,V",
        "GNVTG,286.35,T,,M,14.20,N,26.30,K,A",
        f"GNZDA,{clock},{time.strftime('%d,%m,%Y', now)},00,00",
        "GPTXT,01,01,01,ANTENNA OK",
    ]
    return "".join(map(sentence, texts)).encode()


class Receiver:
    """It talks until the program that made it ends."""

    def __init__(self):
        self.mine, theirs = os.openpty()
        tty.setraw(theirs)
        self.port = os.ttyname(theirs)
        # Its other end stays open too: a receiver goes on when nobody listens.
        self.theirs = theirs
        os.set_blocking(self.mine, False)
        threading.Thread(target=self.talk, daemon=True).start()

    def talk(self):
        due = time.monotonic()
        while True:
            text = epoch(time.gmtime())
            for start in range(0, len(text), CHUNK):
                time.sleep(CHUNK_TIME)
                try:
                    os.write(self.mine, text[start : start + CHUNK])
                except BlockingIOError:
                    pass  # Nobody reads; a UART loses bytes too.
            due = max(due + 1, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
