"""An origin that counts: answers every request head alike, as fast as Python can.  Prints its port; prints its count for each line it reads."""
import selectors
import socket
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def main():
    selector, count, held = selectors.EpollSelector(), 0, {}
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                held[connection] = b""
                selector.register(connection, selectors.EVENT_READ)
            elif key.fileobj is sys.stdin:
                if not sys.stdin.readline():
                    return
                print(count, flush=True)
            else:
                try:
                    data = held[key.fileobj] + key.fileobj.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    selector.unregister(key.fileobj)
                    del held[key.fileobj]
                    key.fileobj.close()
                    continue
                n = data.count(b"\r\n\r\n")
                count += n
                held[key.fileobj] = data[data.rfind(b"\r\n\r\n") + 4:] if n else data
                key.fileobj.sendall(ANSWER * n)


main()
