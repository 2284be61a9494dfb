"""A mail server: aiosmtpd, on a free port of loopback, that keeps nothing and tells everything.

Its first line on standard output is its port. Then there is a JSON object a line: {"from", "to", "text", "html",
"headers"} for each mail that it has taken, and {"refused", "to"} for each recipient that it has not. What it does is
said by the recipient's name, before the `@`:

    bounce   refused for good, at RCPT
    busy     refused for now, the first time
    hang     taken, and never answered while a line `open` has not come on standard input
    cut      the connection ends in the middle, the first time
"""

import asyncio
import json
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP


def tell(said):
    print(json.dumps(said), flush=True)


class Mailbox:
    def __init__(self):
        self.seen = set()
        self.opened = asyncio.Event()

    def first(self, kind, address):
        key = (kind, address)
        new = key not in self.seen
        self.seen.add(key)
        return new

    async def handle_RCPT(self, server, session, envelope, address, options):
        kind = address.split("@")[0]
        if kind == "bounce":
            tell({"refused": 550, "to": address})
            return "550 5.1.1 no such user here"
        if kind == "busy" and self.first(kind, address):
            tell({"refused": 451, "to": address})
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        kind = address.split("@")[0]
        message = message_from_bytes(envelope.content, policy=policy.default)
        parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
        if kind == "cut" and self.first(kind, address):
            tell({"refused": 0, "to": address})
            server.transport.abort()
            return "421 gone"
        tell({
            "from": envelope.mail_from,
            "to": address,
            "text": parts.get("text/plain", ""),
            "html": parts.get("text/html", ""),
            "headers": [[name, str(value)] for name, value in message.items()],
        })
        if kind == "hang":
            await self.opened.wait()
        return "250 2.0.0 taken as 1"


async def main():
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="mail.test"), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip() == b"open":
            mailbox.opened.set()


asyncio.run(main())
