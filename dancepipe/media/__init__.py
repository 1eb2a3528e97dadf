"""Pictures and videos between disk and uint8 RGB arrays; nothing here knows about people."""
