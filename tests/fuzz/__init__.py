"""Projects and command lines with mistakes of all kinds in them, made at random: no command may fall over one."""
