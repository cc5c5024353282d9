<?php
throw new Exception("no reason");
