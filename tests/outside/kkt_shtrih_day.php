<?php
// Drives a simulated register with elplat/kkt-shtrih, a driver for Shtrih-M registers that others wrote.
//
// Usage: kkt_shtrih_day.php CHECKOUT tcp://HOST:PORT | PATH_OF_A_SERIAL_PORT
//
// Identifies the register, reads and writes tables, opens a shift in the FN, sells two items, reads the receipt back,
// takes the Z-report, and prints one JSON line.
//
// CHECKOUT is github.com/afilippov1985/kkt-shtrih (MIT by its composer.json), commit
// 9a01f62af0f597144e03c92ef985c513f79f5576. Its files stay as they are. Two of its requests cannot be used as published:
// FNOperation sends the name from its 129th byte on, and FNCloseCheckEx packs sums as decimal text. They are replaced
// below by requests of the same command; link, transport and all answers are the driver's.

// Debian has psr/log as php-psr-log; the driver needs the two names alone.
namespace Psr\Log {
    interface LoggerInterface {}
    interface LoggerAwareInterface {}
    trait LoggerAwareTrait
    {
        protected ?LoggerInterface $logger = null;
    }
}

namespace {
    use Elplat\KktShtrih\{CheckType, Currency, KktShtrih, PaymentItemSign, PaymentTypeSign, Quantity, Request, TLVUInt8};
    use Elplat\KktShtrih\Transport\Transport8;

    set_exception_handler(function (Throwable $wrong) {
        fwrite(STDERR, sprintf("%s (code %02X)\n%s\n", get_class($wrong), $wrong->getCode(), $wrong));
        exit(1);
    });
    set_error_handler(function (int $level, string $text, string $file, int $line) {
        if (error_reporting() & $level) {
            throw new ErrorException($text, 0, $level, $file, $line);
        }
        return false;
    });
    spl_autoload_register(function (string $class) use ($argv) {
        $path = str_replace('\\', '/', substr($class, strlen('Elplat\\KktShtrih\\')));
        require "{$argv[1]}/src/$path.php";
    });

    class WholeName extends Request\FNOperation
    {
        public function __toString(): string
        {
            return substr(parent::__toString(), 0, 32) . iconv('UTF-8', 'CP1251', $this->stringForPrinting);
        }
    }

    class BinarySums extends Request\FNCloseCheckEx
    {
        public function __toString(): string
        {
            $sums = '';
            for ($n = 1; $n <= 16; ++$n) {
                $sums .= Currency::toBinary($this->{"summ$n"});
            }
            return pack('nV', $this->command, $this->password) . $sums . str_repeat("\0", 31) . chr($this->taxType);
        }
    }

    function item(string $name, float $quantity, float $price): WholeName
    {
        $item = new WholeName();
        $item->checkType = CheckType::Sell;
        $item->quantity = $quantity;
        $item->price = $price;
        $item->paymentTypeSign = PaymentTypeSign::FullPayment;
        $item->paymentItemSign = PaymentItemSign::Commodity;
        $item->stringForPrinting = $name;
        return $item;
    }

    $kkt = new KktShtrih(new Transport8($argv[2]));
    $seen = ['serial' => $kkt->getKKTFactoryNumber(), 'fn' => $kkt->getFNSerialNumber()];
    $seen['ready'] = $kkt->isReady();
    $kkt->writeTable(17, 7, 1, 2);
    $seen['paperless'] = $kkt->readTable(17, 7);
    $seen['phase'] = $kkt->sendRequest(new Request\FNGetStatus())->fnLifeState;
    $kkt->sendRequest(new Request\FNOpenSession());
    $seen['ready after the opening'] = $kkt->isReady();
    // An item opens the receipt by itself, as registers with that reading of the protocol do.
    $kkt->sendRequest(item('Чай', 2, 10.25));
    $measure = new Request\FNSendTLVOperation();
    $measure->tlv = new TLVUInt8(2108, 0);
    $kkt->sendRequest($measure);
    $kkt->sendRequest(item('Сахар', 1.5, 4));
    $kkt->fnSendTLVString(1008, 'a@example.org');
    $close = new BinarySums();
    $close->summ1 = 30;
    $close->taxType = 1;
    $closed = $kkt->sendRequest($close);
    $seen['change'] = $closed->change;
    $find = new Request\FNFindDocument();
    $find->documentNumber = $closed->documentNumber;
    $found = $kkt->sendRequest($find);
    $seen['receipt'] = [$found->documentType, $found->documentNumber, $found->fiscalSign, $found->operationType, $found->summ1];
    $seen['ready after the receipt'] = $kkt->isReady();
    $kkt->printReportWithCleaning(false);
    $seen['shift after the report'] = $kkt->sendRequest(new Request\FNGetStatus())->fnSessionState;
    echo json_encode($seen, JSON_UNESCAPED_UNICODE), "\n";
}
