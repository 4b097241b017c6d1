"""The control plane: command line, REST API, Socket.IO gateway and their stores."""
