"""The shared vocabulary: frozen records that cross stages, files, HTTP and queues. No I/O here."""
