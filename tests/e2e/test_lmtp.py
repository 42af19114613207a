"""LMTP into Dovecot, over TCP and over a unix socket."""

import messages


def lmtp(server, **options):
    options = {"socket": str(server.lmtp_socket), "to": "{ \"alice@example.org\" }",
               **options}
    return "lmtp { " + ", ".join(
        f'{name} = "{value}"' if isinstance(value, str) and
        not value.startswith("{") else f"{name} = {value}"
        for name, value in options.items()) + " }"


def test_mail_arrives_over_a_unix_socket(make_server, home):
    server = make_server(users={"alice": "wonder land", "bob": "w"}, lmtp=True)
    server.fill(messages.mailbox(200, 1))
    home.configure(server, deliver=lmtp(server, to="{ \"bob\" }"))
    home.fetched()
    assert len(server.bodies(user="bob")) == 200
