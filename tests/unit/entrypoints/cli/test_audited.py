import os
import pwd
import socket

from limbo.entrypoints.cli.audited import this_person


def test_a_person_is_the_user_of_the_operating_system_at_this_host():
    person = this_person({})
    assert person.who == f"user:{pwd.getpwuid(os.getuid()).pw_name}"
    assert person.origin == f"command@{socket.gethostname()}"


def test_only_root_is_taken_for_the_one_who_called_sudo():
    name = pwd.getpwuid(os.getuid()).pw_name
    expected = "alice" if os.getuid() == 0 else name
    assert this_person({"SUDO_USER": "alice"}).who == f"user:{expected}"
